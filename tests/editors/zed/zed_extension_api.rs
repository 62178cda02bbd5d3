//! A stand-in for Zed's crate of this name, version 0.7: what our extension uses of it, with the
//! same names and types. A worktree looks programs up on this process's own PATH.

pub type Result<T, E = String> = core::result::Result<T, E>;

pub type EnvVars = Vec<(String, String)>;

pub struct LanguageServerId(pub String);

pub struct Command {
    pub command: String,
    pub args: Vec<String>,
    pub env: EnvVars,
}

pub struct Worktree;

impl Worktree {
    pub fn which(&self, binary_name: &str) -> Option<String> {
        std::env::split_paths(&std::env::var_os("PATH")?)
            .map(|folder| folder.join(binary_name))
            .find(|program| program.is_file())
            .map(|program| program.to_string_lossy().into_owned())
    }

    pub fn shell_env(&self) -> EnvVars {
        std::env::vars().collect()
    }
}

pub trait Extension: Send + Sync {
    fn new() -> Self
    where
        Self: Sized;

    fn language_server_command(
        &mut self,
        language_server_id: &LanguageServerId,
        worktree: &Worktree,
    ) -> Result<Command>;
}

#[macro_export]
macro_rules! register_extension {
    ($extension_type:ty) => {
        pub fn registered() -> Box<dyn zed_extension_api::Extension> {
            Box::new(<$extension_type as zed_extension_api::Extension>::new())
        }
    };
}

//! Asks the extension how its server is started, and prints the program, each argument and each
//! variable, one a line; where it cannot be started, why, with exit status 1.

mod extension;

use zed_extension_api::{LanguageServerId, Worktree};

fn main() {
    let server = LanguageServerId("midfill".to_string());
    match extension::registered().language_server_command(&server, &Worktree) {
        Ok(command) => {
            println!("command {}", command.command);
            command.args.iter().for_each(|each| println!("arg {each}"));
            command.env.iter().for_each(|(name, value)| println!("env {name}={value}"));
        }
        Err(why) => {
            println!("{why}");
            std::process::exit(1);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

//! Tells Zed how `midfill lsp` is started; all else is Zed's own language client.

use zed_extension_api::{self as zed, LanguageServerId, Worktree};

struct Midfill;

impl zed::Extension for Midfill {
    fn new() -> Self {
        Midfill
    }

    fn language_server_command(
        &mut self,
        _server: &LanguageServerId,
        worktree: &Worktree,
    ) -> zed::Result<zed::Command> {
        let command = worktree
            .which("midfill")
            .ok_or_else(|| "There is no midfill on the PATH: install it with pip".to_string())?;
        Ok(zed::Command {
            command,
            args: vec!["lsp".to_string()],
            env: worktree.shell_env(),
        })
    }
}

zed::register_extension!(Midfill);

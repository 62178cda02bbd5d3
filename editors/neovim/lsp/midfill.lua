--- What `vim.lsp.enable('midfill')` starts, from Neovim 0.11 on.
return require('midfill.client').configuration()

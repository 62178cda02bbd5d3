--- Midfill for Neovim: what configurations and other plugins may call. See :help midfill.

local client = require('midfill.client')
local config = require('midfill.config')
local fill = require('midfill.fill')
local highlight = require('midfill.highlight')
local inline = require('midfill.inline')
local say = require('midfill.say')
local status = require('midfill.status')
local suggestion = require('midfill.suggestion')

local M = {}

local set_up = false

--- Begin. Without this, the plugin begins by itself with its defaults when Neovim has started.
---@param options? table see :help midfill-options
function M.setup(options)
  for _, complaint in ipairs(config.set(options)) do
    say.say(complaint .. '.', vim.log.levels.WARN)
  end
  highlight.define()
  local group = vim.api.nvim_create_augroup('midfill', { clear = true })
  vim.api.nvim_create_autocmd('ColorScheme', { group = group, callback = highlight.define })
  client.enabled = config.options.enabled
  if vim.lsp.config then
    client.reconfigure()
    vim.lsp.enable(client.NAME)
  else
    vim.api.nvim_create_autocmd('FileType', {
      group = group,
      callback = function(event)
        client.start(event.buf)
      end,
    })
    client.start_all()
  end
  if set_up then
    client.restart()
  end
  set_up = true
end

---@return boolean
function M.is_set_up()
  return set_up
end

--- Accept what is shown.
---@return boolean whether there was something
function M.accept()
  return inline.accept()
end

---@return boolean
function M.accept_word()
  return inline.accept(suggestion.word)
end

---@return boolean
function M.accept_line()
  return inline.accept(suggestion.line)
end

M.next = function()
  inline.cycle(1)
end

M.previous = function()
  inline.cycle(-1)
end

M.trigger = inline.trigger
M.dismiss = inline.dismiss
M.cancel = fill.cancel
M.configure = client.configure
M.restart = client.restart

--- Whether a suggestion is shown in the current buffer.
---@return boolean
function M.visible()
  return inline.shown() ~= nil
end

--- For a statusline: `%{v:lua.require'midfill'.statusline()}`.
---@return string
function M.statusline()
  return status.line()
end

--- What the server told last, for a statusline of one's own.
---@return midfill.Status?
function M.status()
  return status.of(vim.api.nvim_get_current_buf())
end

return M

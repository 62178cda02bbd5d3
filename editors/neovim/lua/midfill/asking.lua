--- When to ask for suggestions, and how to call that off: the same whoever draws them.

local compat = require('midfill.compat')
local config = require('midfill.config')
local later = require('midfill.later')
local position = require('midfill.position')

local M = {}

M.METHOD = 'textDocument/inlineCompletion'
M.INVOKED, M.AUTOMATIC = 1, 2

---@class midfill.Asking what is known of a buffer's questions
---@field client_id integer
---@field call_off? fun() the question that is to be asked
---@field request? integer the one that has been asked
---@field seen? string the text and cursor that were seen last

---@return boolean
function M.inserting()
  return vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

--- What is another one as soon as the text or the cursor is.
---@param bufnr integer
---@return string
function M.state_of(bufnr)
  local row, col = position.cursor(bufnr)
  return ('%d:%d:%d'):format(vim.api.nvim_buf_get_changedtick(bufnr), row, col)
end

---@param asking midfill.Asking
---@param client vim.lsp.Client
function M.stop(asking, client)
  if asking.call_off then
    asking.call_off()
  end
  if asking.request then
    compat.cancel(client, asking.request)
    asking.request = nil
  end
end

--- Ask once no key comes any more.
---@param asking midfill.Asking
---@param ask fun()
function M.when_idle(asking, ask)
  asking.call_off = later(config.options.debounce, ask)
end

--- Hear of what is typed in a buffer, from now on.
---@param bufnr integer
---@param group integer of autocommands
---@param ends string[] events at which nothing is to be shown any more
---@param changed fun() comes several times for one key
---@param left fun()
function M.listen(bufnr, group, ends, changed, left)
  local function on(events, act)
    vim.api.nvim_create_autocmd(events, {
      group = group,
      buffer = bufnr,
      callback = function()
        act()
      end,
    })
  end
  on({ 'InsertEnter', 'CursorMovedI', 'TextChangedI', 'TextChangedP' }, changed)
  on(ends, left)
  if M.inserting() and bufnr == vim.api.nvim_get_current_buf() then
    changed()
  end
end

return M

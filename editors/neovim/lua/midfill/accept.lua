--- Putting a suggestion, or its beginning, into the text.

local compat = require('midfill.compat')
local suggestion = require('midfill.suggestion')

local M = {}

--- What comes next is undone on its own (:help undo-break).
---@param bufnr integer
local function break_undo(bufnr)
  vim.bo[bufnr].undolevels = vim.bo[bufnr].undolevels
end

---@param taken midfill.Suggestion
---@param left integer bytes of its text that are not in the document
local function tell(taken, left)
  local client = vim.lsp.get_client_by_id(taken.client_id)
  if not client then
    return
  end
  if left > 0 then
    local text = taken.item.insertText ---@type string
    local units = vim.fn.strutf16len(text:sub(1, #text - left))
    local params = { item = taken.item, acceptedLength = units }
    compat.notify(client, 'textDocument/didPartiallyAcceptCompletion', params)
  elseif taken.item.command then
    local command = taken.item.command
    local params = { command = command.command, arguments = command.arguments }
    compat.request(client, 'workspace/executeCommand', params, function() end, 0)
  end
end

--- Insert what is left of a suggestion behind what has been typed of it.
---@param bufnr integer
---@param taken midfill.Suggestion which fits at the cursor
---@param part? fun(rest: string): string
function M.take(bufnr, taken, part)
  local place = suggestion.here(bufnr)
  local rest, closers = suggestion.rest(taken, place)
  if not rest then
    return
  end
  local piece = part and part(rest) or rest
  local whole = piece == rest
  local last = place.col + (whole and #closers or 0)
  local lines = vim.split(piece, '\n', { plain = true })
  break_undo(bufnr)
  vim.api.nvim_buf_set_text(bufnr, place.row, place.col, place.row, last, lines)
  break_undo(bufnr)
  local col = #lines[#lines] + (#lines == 1 and place.col or 0)
  vim.api.nvim_win_set_cursor(0, { place.row + #lines, col })
  tell(taken, #rest - #piece)
end

return M

--- Positions of the protocol and of Neovim: (0,0)-based, bytes here, units of an encoding there.

local M = {}

---@param bufnr integer
---@param row integer
---@return string
function M.line(bufnr, row)
  return vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
end

--- Bytes of a line before so many units.
---@param line string
---@param units integer
---@param encoding string
---@return integer
function M.byte(line, units, encoding)
  if encoding == 'utf-8' then
    return math.min(units, #line)
  end
  local longest = encoding == 'utf-16' and vim.fn.strutf16len(line) or vim.fn.strchars(line)
  if units >= longest then
    return #line
  end
  return vim.fn.byteidx(line, units, encoding == 'utf-16')
end

--- Units of a line before a byte.
---@param line string
---@param byte integer
---@param encoding string
---@return integer
function M.units(line, byte, encoding)
  local before = line:sub(1, byte)
  if encoding == 'utf-8' then
    return #before
  end
  return encoding == 'utf-16' and vim.fn.strutf16len(before) or vim.fn.strchars(before)
end

---@param bufnr integer
---@param row integer
---@param col integer
---@param encoding string
---@return lsp.Position
function M.to_client(bufnr, row, col, encoding)
  return { line = row, character = M.units(M.line(bufnr, row), col, encoding) }
end

---@param bufnr integer
---@param position lsp.Position
---@param encoding string
---@return integer row, integer col
function M.from_client(bufnr, position, encoding)
  local last = vim.api.nvim_buf_line_count(bufnr) - 1
  if position.line > last then
    return last, #M.line(bufnr, last)
  end
  return position.line, M.byte(M.line(bufnr, position.line), position.character, encoding)
end

--- Where the cursor of the window that shows a buffer is.
---@param bufnr integer
---@return integer row, integer col
function M.cursor(bufnr)
  local window = vim.api.nvim_get_current_win()
  if vim.api.nvim_win_get_buf(window) ~= bufnr then
    window = vim.fn.bufwinid(bufnr)
  end
  local at = window ~= -1 and vim.api.nvim_win_get_cursor(window) or { 1, 0 }
  return at[1] - 1, at[2]
end

return M

--- Text on the screen that is not in the buffer.

local M = {}

--- Extmarks draw a tab as one column, whatever the user has set.
---@param text string
---@return string
function M.without_tabs(text)
  return (text:gsub('\t', (' '):rep(vim.fn.shiftwidth())))
end

---@param bufnr integer
---@param namespace integer
function M.clear(bufnr, namespace)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  end
end

return M

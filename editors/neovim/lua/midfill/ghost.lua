--- Our own grey text: one extmark at the cursor, which moves along with its line.

local virtual_text = require('midfill.virtual_text')

local M = {}

M.namespace = vim.api.nvim_create_namespace('midfill.ghost')

--- Show a text, in place of what is shown.
---@param bufnr integer
---@param row integer
---@param col integer
---@param text string
---@param hint? string behind it
function M.show(bufnr, row, col, text, hint)
  local lines = {} ---@type [string, string][][]
  for line in vim.gsplit(virtual_text.without_tabs(text), '\n', { plain = true }) do
    table.insert(lines, { { line, 'MidfillGhost' } })
  end
  if hint then
    table.insert(lines[#lines], { hint, 'MidfillGhostMore' })
  end
  vim.api.nvim_buf_set_extmark(bufnr, M.namespace, row, col, {
    id = 1,
    virt_text = lines[1],
    virt_text_pos = 'inline',
    virt_lines = #lines > 1 and vim.list_slice(lines, 2) or nil,
    hl_mode = 'combine',
    right_gravity = true,
  })
end

---@param bufnr integer
function M.hide(bufnr)
  virtual_text.clear(bufnr, M.namespace)
end

return M

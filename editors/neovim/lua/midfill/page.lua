--- Text to read, in a window of its own that `q` closes.

local M = {}

---@param name string
---@param text string
---@param filetype? string
---@return integer bufnr
function M.open(name, text, filetype)
  vim.cmd('botright new')
  local bufnr = vim.api.nvim_get_current_buf()
  vim.bo[bufnr].buftype = 'nofile'
  vim.bo[bufnr].bufhidden = 'wipe'
  vim.bo[bufnr].swapfile = false
  pcall(vim.api.nvim_buf_set_name, bufnr, 'midfill://' .. name)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, vim.split(text, '\r?\n'))
  vim.bo[bufnr].modifiable = false
  vim.bo[bufnr].filetype = filetype or ''
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = bufnr, desc = 'close this window' })
  return bufnr
end

--- A log, at its end.
---@param path string
function M.log(path)
  vim.cmd('botright split ' .. vim.fn.fnameescape(path))
  vim.bo.autoread = true
  vim.bo.modifiable = false
  vim.cmd('normal! G')
end

return M

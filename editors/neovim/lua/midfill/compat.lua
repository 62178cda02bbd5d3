--- What Neovim 0.10 calls otherwise.

local M = {}

local new = vim.fn.has('nvim-0.11') == 1

---@param client vim.lsp.Client
---@param method string
---@param params table
---@param handler lsp.Handler
---@param bufnr integer
---@return boolean sent, integer? id
function M.request(client, method, params, handler, bufnr)
  if new then
    return client:request(method, params, handler, bufnr)
  end
  return client.request(method, params, handler, bufnr)
end

---@param client vim.lsp.Client
---@param method string
---@param params table
function M.notify(client, method, params)
  if new then
    client:notify(method, params)
  else
    client.notify(method, params)
  end
end

---@param client vim.lsp.Client
---@param id integer
function M.cancel(client, id)
  if new then
    client:cancel_request(id)
  else
    client.cancel_request(id)
  end
end

---@param client vim.lsp.Client
---@param force? boolean
function M.stop(client, force)
  if new then
    client:stop(force)
  else
    client.stop(force)
  end
end

---@return string the file that the language server's words are in
function M.log_file()
  return vim.lsp.log and vim.lsp.log.get_filename and vim.lsp.log.get_filename()
    or vim.lsp.get_log_path()
end

return M

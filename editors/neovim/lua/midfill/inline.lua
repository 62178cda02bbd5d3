--- Suggestions in Insert mode, whoever draws them.

local accept = require('midfill.accept')
local builtin = require('midfill.builtin')
local config = require('midfill.config')
local own = require('midfill.own')
local suggestion = require('midfill.suggestion')

local M = {}

---@type table<integer, table> by buffer, who draws there
local frontends = {}

--- Who draws where nobody has been chosen yet.
---@return table
function M.frontend()
  return config.options.ghost_text ~= 'own' and builtin.usable() and builtin or own
end

---@param bufnr integer
---@return integer
local function group(bufnr)
  return vim.api.nvim_create_augroup('midfill.inline:' .. bufnr, { clear = true })
end

---@param bufnr integer
---@param client vim.lsp.Client
function M.attach(bufnr, client)
  M.detach(bufnr)
  frontends[bufnr] = M.frontend()
  frontends[bufnr].attach(bufnr, client, group(bufnr))
end

---@param bufnr integer
function M.detach(bufnr)
  local frontend = frontends[bufnr]
  if frontend then
    group(bufnr)
    frontends[bufnr] = nil
    frontend.detach(bufnr)
  end
end

---@param bufnr? integer
---@return table?, integer
local function of(bufnr)
  bufnr = bufnr or vim.api.nvim_get_current_buf()
  return frontends[bufnr], bufnr
end

--- The suggestion that is shown, and what of it.
---@param bufnr? integer
---@return string? rest, midfill.Suggestion?
function M.shown(bufnr)
  local frontend
  frontend, bufnr = of(bufnr)
  local current = frontend and frontend.current(bufnr)
  local rest = current and suggestion.rest(current, suggestion.here(bufnr))
  if rest then
    return rest, current
  end
end

--- Take the shown suggestion, or its beginning.
---@param part? fun(rest: string): string which beginning; all of it if nil
---@return boolean whether there was one
function M.accept(part)
  local frontend, bufnr = of()
  local rest, current = M.shown(bufnr)
  if not frontend or not rest or not current then
    return false
  end
  local whole = not part or part(rest) == rest
  frontend.dismiss(bufnr)
  accept.take(bufnr, current, part)
  if not whole then
    frontend.keep(bufnr, current)
  end
  return true
end

---@param step integer
function M.cycle(step)
  local frontend, bufnr = of()
  if frontend then
    frontend.cycle(bufnr, step)
  end
end

function M.trigger()
  local frontend, bufnr = of()
  if frontend then
    frontend.trigger(bufnr)
  end
end

--- Hide what is shown anywhere, and forget what has been asked.
function M.dismiss_all()
  for bufnr, frontend in pairs(frontends) do
    frontend.dismiss(bufnr)
  end
end

---@return boolean whether something was shown
function M.dismiss()
  local frontend, bufnr = of()
  return frontend ~= nil and M.shown(bufnr) ~= nil and frontend.dismiss(bufnr)
end

return M

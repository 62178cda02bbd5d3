--- How the server and its engine are, for a statusline.

local launch = require('midfill.launch')
local say = require('midfill.say')

local M = {}

---@class midfill.Status what `midfill/status` carries
---@field state 'idle'|'loading'|'ready'|'failed'|'draining'
---@field activity 'idle'|'thinking'|'paused'
---@field model string
---@field detail string
---@field fraction? number
---@field action? { title: string, command: string }

---@type table<integer, midfill.Status> by client
local statuses = {}

---@type string?
local failure

--- Tell the statusline, and whoever else listens.
function M.changed()
  vim.schedule(function()
    vim.api.nvim_exec_autocmds('User', { pattern = 'MidfillStatus', modeline = false })
    vim.cmd('redrawstatus!')
  end)
end

---@param action { title: string, command: string }
---@return string
function M.advice(action)
  return ('%s: `%s`'):format(action.title, action.command)
end

---@param client_id integer
---@param result table
function M.told(client_id, result)
  for name, value in pairs(result) do
    if value == vim.NIL then
      result[name] = nil
    end
  end
  statuses[client_id], failure = result, nil
  if result.state == 'failed' then
    local what = result.detail or 'the engine has failed'
    local advice = result.action and M.advice(result.action) or ''
    say.once(('%s. %s'):format(what, advice), vim.log.levels.ERROR)
  end
  M.changed()
end

--- There is no server, and why.
---@param why string
function M.failed(why)
  failure = why
  M.changed()
end

---@param client_id integer
function M.gone(client_id)
  statuses[client_id] = nil
  M.changed()
end

function M.forget()
  statuses, failure = {}, nil
end

---@param bufnr? integer
---@return midfill.Status?
function M.of(bufnr)
  local clients = vim.lsp.get_clients({ name = 'midfill', bufnr = bufnr })
  return clients[1] and statuses[clients[1].id]
end

---@param bufnr? integer
---@return string one or two words
function M.word(bufnr)
  bufnr = bufnr or vim.api.nvim_get_current_buf()
  if not require('midfill.client').on_in(bufnr) then
    return 'off'
  end
  local status = M.of(bufnr)
  if not status then
    local here = #vim.lsp.get_clients({ name = 'midfill', bufnr = bufnr }) > 0
    return failure and 'failed' or (here or launch.is_starting()) and 'starting' or ''
  elseif status.state == 'failed' then
    return 'failed'
  elseif status.activity == 'paused' then
    return 'paused'
  elseif status.state == 'loading' then
    return status.fraction and ('loading %d%%'):format(status.fraction * 100) or 'loading'
  end
  return status.activity == 'thinking' and 'thinking' or status.state
end

--- For a statusline; empty where Midfill has nothing to do with the buffer.
---@return string
function M.line()
  local bufnr = vim.api.nvim_get_current_buf()
  if vim.bo[bufnr].buftype ~= '' then
    return ''
  end
  local word = M.word(bufnr)
  return word == '' and '' or 'midfill: ' .. word
end

--- A sentence or two.
---@return string
function M.sentence()
  local status = M.of()
  if failure then
    return failure .. '.'
  elseif not status then
    return M.word() == 'off' and 'off here; :Midfill enable switches it on.' or 'no server is here.'
  end
  local parts = { ('%s, model %s'):format(M.word(), status.model or '?') }
  if status.detail and status.detail ~= '' then
    table.insert(parts, status.detail)
  end
  if status.action then
    table.insert(parts, M.advice(status.action))
  end
  return table.concat(parts, '; ') .. '.'
end

return M

--- The server's process: found, started, watched, and started again if it crashes.

local Crashes = require('midfill.crashes')
local config = require('midfill.config')
local program = require('midfill.program')
local say = require('midfill.say')

local M = {}

local ERROR = vim.log.levels.ERROR
local INSTALL = 'install it with `pipx install midfill` (it needs Python 3.11 or newer)'
local WHERE = "or say where it is: require('midfill').setup{ cmd = { '/path/to/it', 'lsp' } }"
local HOW_LONG_VERSION_MAY_TAKE = 20000

---@class midfill.Life one process
---@field answered boolean it has answered `initialize`
---@field expected boolean it was asked to end

---@type midfill.Crashes?
local crashes
local given_up = false
local missing = false

--- Called when a crashed server may be started again.
---@type fun()
M.on_retry = function() end

--- Called when there is no server any more, with why.
---@type fun(why: string)
M.on_failure = function(_) end

---@type table<vim.lsp.rpc.PublicClient, midfill.Life> servers that have not answered yet
local starting = {}

---@return boolean
function M.is_starting()
  return next(starting) ~= nil
end

--- End servers that no client has heard of yet.
function M.end_starting()
  for rpc in pairs(starting) do
    rpc.terminate()
  end
end

--- Begin anew, whatever happened before.
function M.forgive()
  crashes, given_up, missing = nil, false, false
end

---@return string? why no server is to be started
function M.obstacle()
  if given_up then
    return 'its server crashed repeatedly; :Midfill restart tries again'
  end
  local name = config.options.cmd[1]
  if vim.fn.executable(name) == 1 then
    missing = false
    return nil
  end
  return ('there is no program %s'):format(name)
end

--- Whether a server may be started; says so once if there is none to start.
---@return boolean
function M.possible()
  local why = M.obstacle()
  if not why then
    return true
  end
  if not given_up and not missing then
    missing = true
    M.on_failure(why)
    local python = vim.fn.executable('python3') == 1 and '' or ' There is no python3 either.'
    say.say(('%s: %s, %s. Then: :Midfill restart.%s'):format(why, INSTALL, WHERE, python), ERROR)
  end
  return false
end

--- Ask the program for its version: a broken installation says what is broken.
---@param then_do fun(complaint: string?)
local function look_for_reason(then_do)
  local started = pcall(vim.system, program.command('--version'), {
    text = true,
    timeout = HOW_LONG_VERSION_MAY_TAKE,
  }, function(done)
    then_do(done.code ~= 0 and program.complaint(done) or nil)
  end)
  if not started then
    then_do('it cannot be run')
  end
end

---@param life midfill.Life
---@param how string
local function crashed(life, how)
  local options = config.options.crashes
  crashes = crashes or Crashes.new(options.most, options.within)
  local delay = crashes:crashed(vim.uv.now() / 1000)
  if delay then
    if life.answered then
      say.once(('its server has ended (%s) and is started again.'):format(how), vim.log.levels.WARN)
    end
    M.on_failure(('its server has ended (%s)'):format(how))
    vim.defer_fn(function()
      if not given_up then
        M.on_retry()
      end
    end, delay)
    return
  end
  given_up = true
  local count = crashes:count()
  M.on_failure(('its server ended %d times (%s)'):format(count, how))
  look_for_reason(function(complaint)
    local reason = complaint and (how .. ': ' .. complaint) or how
    local text = 'its server has ended %d times within %d s (%s) and is not started again.'
    local advice = ' :checkhealth midfill looks for the cause, :Midfill log has the server’s words,'
      .. ' :Midfill restart tries again.'
    say.say(text:format(count, options.within, reason) .. advice, ERROR)
  end)
end

---@param life midfill.Life
---@param code integer
---@param signal integer
local function ended(life, code, signal)
  if life.expected or vim.v.exiting ~= vim.NIL then
    return
  end
  crashed(life, signal ~= 0 and ('signal %d'):format(signal) or ('status %d'):format(code))
end

--- Start the server; what `cmd` of a client's configuration may be.
---@param dispatchers vim.lsp.rpc.Dispatchers
---@return vim.lsp.rpc.PublicClient
function M.start(dispatchers)
  ---@type midfill.Life
  local life = { answered = false, expected = false }
  local on_exit = dispatchers.on_exit
  local rpc ---@type vim.lsp.rpc.PublicClient
  dispatchers = vim.tbl_extend('force', dispatchers, {
    on_exit = function(code, signal)
      if rpc then
        starting[rpc] = nil
      end
      vim.schedule(function()
        ended(life, code, signal)
      end)
      on_exit(0, 0) -- or Neovim would say it in its own words as well
    end,
  })
  rpc = vim.lsp.rpc.start(config.options.cmd, dispatchers, { detached = false })
  starting[rpc] = life
  local request, terminate = rpc.request, rpc.terminate
  rpc.request = function(method, params, callback, ...)
    if method == 'shutdown' then
      life.expected = true
    elseif method == 'initialize' then
      local answer = callback
      callback = function(...)
        life.answered = true
        starting[rpc] = nil
        return answer(...)
      end
    end
    return request(method, params, callback, ...)
  end
  rpc.terminate = function()
    life.expected = true
    return terminate()
  end
  return rpc
end

return M

--- The `midfill` command line, run beside Neovim.

local config = require('midfill.config')

local M = {}

local TIMEOUT = 120000

---@class midfill.Outcome
---@field code integer
---@field stdout string
---@field stderr string

--- The command line that the server's command belongs to: it without its last word, `lsp`.
---@param ... string
---@return string[]
function M.command(...)
  local command = vim.deepcopy(config.options.cmd)
  if command[#command] == 'lsp' then
    table.remove(command)
  end
  return vim.list_extend(command, { ... })
end

---@param arguments string[]
---@param then_do fun(outcome: midfill.Outcome)
function M.run(arguments, then_do)
  local options = { text = true, timeout = TIMEOUT, env = { NO_COLOR = '1', COLUMNS = '100' } }
  local started, why = pcall(
    vim.system,
    M.command(unpack(arguments)),
    options,
    vim.schedule_wrap(function(done)
      then_do({ code = done.code, stdout = done.stdout or '', stderr = done.stderr or '' })
    end)
  )
  if not started then
    then_do({ code = 127, stdout = '', stderr = tostring(why) })
  end
end

--- Run it and wait.
---@param arguments string[]
---@param timeout? integer milliseconds
---@return midfill.Outcome
function M.wait(arguments, timeout)
  local started, done = pcall(function()
    return vim.system(M.command(unpack(arguments)), { text = true }):wait(timeout or TIMEOUT)
  end)
  if not started then
    return { code = 127, stdout = '', stderr = tostring(done) }
  end
  return { code = done.code, stdout = done.stdout or '', stderr = done.stderr or '' }
end

local OLDEST_PYTHON = 11

--- What a program that failed complained of: its last line, and whether its Python is too old.
---@param outcome { stdout?: string, stderr?: string }
---@return string? complaint
function M.complaint(outcome)
  local said = vim.trim((outcome.stderr or '') .. '\n' .. (outcome.stdout or ''))
  if said == '' then
    return nil
  end
  local lines = vim.split(said, '\n')
  -- A traceback names files of the Python that runs: what is wrong in them says nothing to a user.
  local minor = tonumber(said:match('[Pp]ython3%.?(%d+)'))
  if minor and minor < OLDEST_PYTHON then
    local text = '%s; it runs on Python 3.%d, and needs 3.%d or newer'
    return text:format(lines[#lines], minor, OLDEST_PYTHON)
  end
  return lines[#lines]
end

--- Where an engine's log is: one file for each model.
---@return string? the newest of them
function M.engine_log()
  local state = vim.env.XDG_STATE_HOME or vim.fn.expand('~/.local/state')
  local folder = state .. '/midfill/log'
  if vim.fn.has('mac') == 1 then
    folder = vim.fn.expand('~/Library/Logs/midfill')
  elseif vim.fn.has('win32') == 1 then
    folder = (vim.env.LOCALAPPDATA or '') .. '/midfill/Logs'
  end
  local files = vim.fn.glob(folder .. '/engine-*.log', true, true)
  table.sort(files, function(one, other)
    return vim.fn.getftime(one) > vim.fn.getftime(other)
  end)
  return files[1]
end

return M

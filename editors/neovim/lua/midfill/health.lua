--- `:checkhealth midfill`.

local M = {}

local client = require('midfill.client')
local config = require('midfill.config')
local launch = require('midfill.launch')
local program = require('midfill.program')
local status = require('midfill.status')

local OLDEST = { 0, 1, 0 }

local health = vim.health

local function neovim()
  local version = tostring(vim.version())
  if vim.fn.has('nvim-0.10') == 0 then
    health.error(('Neovim %s: 0.10 or newer is needed'):format(version))
    return
  end
  health.ok('Neovim ' .. version)
  local frontend = require('midfill.inline').frontend()
  local who = { builtin = 'by vim.lsp.inline_completion', own = 'by this plugin' }
  health.info('suggestions are drawn ' .. who[frontend.name])
  local wished = config.options.ghost_text == 'own'
  if frontend.name == 'own' and not wished and vim.lsp.inline_completion then
    health.warn('vim.lsp.inline_completion is not as this plugin knows it, and is left alone')
  end
end

---@return boolean whether there is one that runs
local function server()
  local command = table.concat(config.options.cmd, ' ')
  local path = vim.fn.exepath(config.options.cmd[1])
  if path == '' then
    health.error(('there is no program %s'):format(config.options.cmd[1]), {
      'Install it: pipx install midfill',
      "Or say where it is: require('midfill').setup{ cmd = { '/path/to/midfill', 'lsp' } }",
    })
    local python = vim.fn.exepath('python3')
    if python == '' then
      health.warn('there is no python3 either; Midfill needs Python 3.11 or newer')
    end
    return false
  end
  health.ok(('%s is %s'):format(command, path))
  local outcome = program.wait({ '--version' }, 30000)
  local version = outcome.stdout:match('midfill (%S+)')
  if outcome.code ~= 0 or not version then
    health.error('it does not run: ' .. (program.complaint(outcome) or 'it says nothing'), {
      'Install it again with Python 3.11 or newer: pipx reinstall --python python3.11 midfill',
    })
    return false
  end
  local parsed = vim.version.parse(version, { strict = false })
  if parsed and vim.version.lt(parsed, OLDEST) then
    health.error(('midfill %s is too old'):format(version), { 'pipx upgrade midfill' })
  else
    health.ok('midfill ' .. version)
  end
  return true
end

local function clients()
  local why = launch.obstacle()
  if not client.enabled then
    health.info('switched off; :Midfill enable switches it on')
  elseif why then
    health.error(why, { 'Look at :Midfill log, then :Midfill restart' })
  end
  local all = client.clients()
  if #all == 0 then
    health.info('no server is running; one starts with the first file of a kind that is wanted')
  end
  for _, one in ipairs(all) do
    local buffers = vim.tbl_count(one.attached_buffers or {})
    local root = one.root_dir or one.config.root_dir or 'no folder'
    health.ok(('server %d: %s, %d buffers'):format(one.id, root, buffers))
    if not one.server_capabilities.inlineCompletionProvider then
      health.error('it offers no inline completion: it is too old', { 'pipx upgrade midfill' })
    end
  end
  if #all > 0 then
    local told = status.of()
    local detail = told and told.detail ~= '' and told.detail
    local text = 'engine: ' .. (told and told.state or 'not heard of yet')
    if told and told.state == 'failed' then
      health.error(('%s, %s'):format(text, detail or '?'), { 'midfill doctor' })
    else
      health.info(detail and ('%s, %s'):format(text, detail) or text)
    end
  end
end

--- What `midfill doctor` finds: python, torch, memory, the model, the engine.
local function doctor()
  local outcome = program.wait({ 'doctor', '--json' })
  local read, report = pcall(vim.json.decode, outcome.stdout)
  if not read or type(report) ~= 'table' or type(report.checks) ~= 'table' then
    health.warn('midfill doctor says nothing that can be read: ' .. vim.trim(outcome.stderr))
    return
  end
  local tell = { ok = health.ok, slow = health.warn, wrong = health.error }
  for _, check in ipairs(report.checks) do
    local advice = check.advice ~= '' and { check.advice } or nil
    local say = tell[check.status] or health.info
    say(('%s: %s'):format(check.name, check.value), advice)
  end
end

function M.check()
  health.start('midfill: editor')
  neovim()
  health.start('midfill: server')
  local runs = server()
  clients()
  if runs then
    health.start('midfill: machine and model')
    doctor()
  end
end

return M

--- Midfill as a client of Neovim's: what it is configured with, and on which buffers it is.

local compat = require('midfill.compat')
local config = require('midfill.config')
local fill = require('midfill.fill')
local inline = require('midfill.inline')
local keys = require('midfill.keys')
local launch = require('midfill.launch')
local say = require('midfill.say')
local status = require('midfill.status')

local M = {}

M.NAME = 'midfill'
local STOPPING = 3000
local TOO_OLD = 'this midfill is too old: `pipx upgrade midfill`, then :Midfill restart.'

---@type table<integer, boolean> buffers that had a server, for when there is one again
local served = {}

---@type boolean
M.enabled = false

---@param filter? { bufnr?: integer }
---@return vim.lsp.Client[]
function M.clients(filter)
  return vim.lsp.get_clients(vim.tbl_extend('force', filter or {}, { name = M.NAME }))
end

---@param bufnr? integer
---@return vim.lsp.Client? the server of a buffer
function M.of(bufnr)
  return M.clients({ bufnr = bufnr or vim.api.nvim_get_current_buf() })[1]
end

--- Whether suggestions are wanted in a buffer now.
---@param bufnr integer
---@return boolean
function M.on_in(bufnr)
  return M.enabled and vim.b[bufnr].midfill ~= false and config.wanted_in(bufnr)
end

---@param bufnr integer
---@return string? folder
local function root_of(bufnr)
  return vim.fs.root(bufnr, config.options.root_markers)
end

--- An empty table is no list in what the server is sent.
---@param values table
---@return table
local function object(values)
  return vim.tbl_isempty(values) and vim.empty_dict() or values
end

local LEVELS = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO }

---@param client vim.lsp.Client
---@param bufnr integer
local function attached(client, bufnr)
  served[bufnr] = true
  keys.attach(bufnr)
  if M.on_in(bufnr) then
    inline.attach(bufnr, client)
  end
end

--- What `vim.lsp.config.midfill` is; also for `vim.lsp.start`.
---@return vim.lsp.ClientConfig
function M.configuration()
  local capabilities = vim.lsp.protocol.make_client_capabilities()
  capabilities.textDocument.inlineCompletion = { dynamicRegistration = false }
  local settings = config.options.settings
  return {
    name = M.NAME,
    cmd = launch.start,
    capabilities = capabilities,
    settings = { midfill = object(settings) },
    -- The list entries are promised in the first answer, before the settings can be asked for.
    init_options = object({ completion = settings.completion }),
    flags = { debounce_text_changes = 20 },
    root_dir = function(bufnr, go)
      if M.enabled and config.wanted_in(bufnr) and launch.possible() then
        go(root_of(bufnr))
      end
    end,
    handlers = {
      ['midfill/status'] = function(_, result, context)
        status.told(context.client_id, result)
      end,
      ['$/progress'] = function(err, result, context, ...)
        fill.progress(result, context)
        return vim.lsp.handlers['$/progress'](err, result, context, ...)
      end,
      ['workspace/applyEdit'] = function(err, result, context, ...)
        fill.edit_comes(context.client_id)
        return vim.lsp.handlers['workspace/applyEdit'](err, result, context, ...)
      end,
      ['window/showMessage'] = function(_, result)
        say.say(result.message, LEVELS[result.type])
        return vim.NIL
      end,
    },
    on_init = function(client)
      if not client.server_capabilities.inlineCompletionProvider then
        say.once(TOO_OLD, vim.log.levels.ERROR)
      end
    end,
    on_attach = attached,
    on_exit = function(_, _, client_id)
      vim.schedule(function()
        status.gone(client_id)
        fill.gone(client_id)
        for bufnr in pairs(served) do
          if vim.api.nvim_buf_is_valid(bufnr) and not M.of(bufnr) then
            inline.detach(bufnr)
          end
        end
      end)
    end,
  }
end

---@return vim.lsp.ClientConfig with what the user has said of it with `vim.lsp.config`
local function resolved()
  local found = vim.lsp.config and vim.lsp.config[M.NAME]
  return vim.deepcopy(found or M.configuration())
end

--- Start a server for a buffer, or have the one of its folder serve it too.
---@param bufnr integer
function M.start(bufnr)
  if not vim.api.nvim_buf_is_loaded(bufnr) or M.of(bufnr) then
    return
  end
  local start = resolved()
  local function go(root)
    start.root_dir = root
    vim.lsp.start(start, { bufnr = bufnr })
  end
  if type(start.root_dir) == 'function' then
    start.root_dir(bufnr, go)
  elseif M.enabled and launch.possible() then
    go(start.root_dir)
  end
end

--- Start servers for all buffers that may have one.
function M.start_all()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) and vim.bo[bufnr].filetype ~= '' then
      M.start(bufnr)
    end
  end
end

--- End all servers.
---@param then_do? fun()
function M.stop_all(then_do)
  local ending = M.clients()
  launch.end_starting()
  for _, client in ipairs(ending) do
    compat.stop(client)
  end
  local tries = 0
  local function wait()
    tries = tries + 1
    local left = vim.tbl_filter(function(client)
      return vim.lsp.get_client_by_id(client.id) ~= nil
    end, ending)
    if #left > 0 and tries * 50 < STOPPING then
      vim.defer_fn(wait, 50)
      return
    end
    for _, client in ipairs(left) do
      compat.stop(client, true)
    end
    if then_do then
      then_do()
    end
  end
  wait()
end

--- Begin anew.
function M.restart()
  launch.forgive()
  say.forget()
  status.forget()
  M.stop_all(M.start_all)
end

---@param on boolean
function M.enable(on)
  if on == M.enabled then
    return
  end
  M.enabled = on
  status.changed()
  if on then
    launch.forgive()
    M.start_all()
  else
    for bufnr in pairs(served) do
      inline.detach(bufnr)
    end
    M.stop_all()
  end
end

--- Have suggestions in one buffer, or not.
---@param bufnr integer
---@param on boolean
function M.enable_in(bufnr, on)
  vim.b[bufnr].midfill = on
  inline.detach(bufnr)
  local client = M.of(bufnr)
  if on and client then
    inline.attach(bufnr, client)
  elseif on then
    M.start(bufnr)
  end
  status.changed()
end

--- Have Neovim read `lsp/midfill.lua` again, as the options have changed.
function M.reconfigure()
  if vim.lsp.config then
    vim.lsp.config(M.NAME, {})
  end
end

--- Change the server's settings while it runs.
---@param settings table<string, any>
function M.configure(settings)
  config.options.settings = settings
  M.reconfigure()
  inline.dismiss_all()
  for _, client in ipairs(M.clients()) do
    client.settings = { midfill = object(settings) }
    compat.notify(client, 'workspace/didChangeConfiguration', { settings = client.settings })
  end
end

--- Ask the server to run a command.
---@param command string
---@param arguments any[]
---@param then_do? fun(result: any)
---@return boolean sent
function M.run(command, arguments, then_do)
  local bufnr = vim.api.nvim_get_current_buf()
  local client = M.of(bufnr) or M.clients()[1]
  if not client then
    say.say(
      launch.obstacle() or 'there is no server for this buffer; see :checkhealth midfill',
      vim.log.levels.WARN
    )
    return false
  end
  local params = { command = command, arguments = arguments }
  return (
    compat.request(client, 'workspace/executeCommand', params, function(err, result)
      if err then
        say.say(('%s failed: %s'):format(command, err.message), vim.log.levels.ERROR)
      elseif then_do then
        then_do(result)
      end
    end, bufnr)
  )
end

launch.on_retry = function()
  for bufnr in pairs(served) do
    if vim.api.nvim_buf_is_valid(bufnr) then
      M.start(bufnr)
    else
      served[bufnr] = nil
    end
  end
  M.start_all()
end
launch.on_failure = status.failed

return M

--- Suggestions by Neovim's own `vim.lsp.inline_completion`, with what that still lacks (0.12.4):
---
--- - text typed against a suggestion hides it, as does an edit that moves its line;
--- - a question that nobody waits for any more is cancelled;
--- - an answer that no longer fits is not drawn; carriage returns are never drawn;
--- - the wait for the next key is our `debounce`, and ends at once where a suggestion still fits;
--- - it can be asked by hand, for several suggestions.
---
--- For this it reaches into what the module keeps for a buffer. Where that is not as expected,
--- `usable` says so, and `midfill.own` draws instead.

local asking = require('midfill.asking')
local compat = require('midfill.compat')
local position = require('midfill.position')
local suggestion = require('midfill.suggestion')

local M = { name = 'builtin' }

---@class midfill.builtin.Buffer : midfill.Asking
---@field items midfill.Suggestion[]
---@field after? fun()

---@type table<integer, midfill.builtin.Buffer>
local buffers = {}

local NEEDED = { 'hide', 'abort', 'request', 'reset_timer', 'select', 'count_items' }

---@return table? the module's class
local function class()
  local found, capability = pcall(require, 'vim.lsp._capability')
  return found and capability.all and capability.all.inline_completion or nil
end

--- Whether Neovim has the module, as we know it.
---@return boolean
function M.usable()
  if not vim.lsp.inline_completion then
    return false
  end
  local found = class()
  return found ~= nil
    and type(found.active) == 'table'
    and vim.iter(NEEDED):all(function(name)
      return type(found[name]) == 'function'
    end)
end

---@param bufnr integer
---@return table? its `Completor`
local function completor(bufnr)
  local found = class()
  return found and found.active[bufnr]
end

---@param bufnr integer
---@return midfill.Suggestion?
function M.current(bufnr)
  local state, module = buffers[bufnr], completor(bufnr)
  local current = module and module.current
  if not state or not current or current.client_id ~= state.client_id then
    return nil
  end
  for _, known in ipairs(state.items) do
    if known.text == current.insert_text then
      return known
    end
  end
end

---@param bufnr integer
---@return boolean
local function fits(bufnr)
  local current = M.current(bufnr)
  return current ~= nil and suggestion.rest(current, suggestion.here(bufnr)) ~= nil
end

---@param bufnr integer
---@param client vim.lsp.Client
local function stop_asking(bufnr, client)
  local state, module = buffers[bufnr], completor(bufnr)
  if module then
    module:reset_timer()
  end
  if state then
    asking.stop(state, client)
  end
end

---@param bufnr integer
local function forget(bufnr)
  local state, module = buffers[bufnr], completor(bufnr)
  if not module then
    return
  end
  state.items = {}
  if module.client_state[state.client_id] then
    module.client_state[state.client_id].items = nil
  end
  if not module.current or module.current.client_id == state.client_id then
    module.current = nil
    module:hide()
  end
end

--- Have the module draw a suggestion where the cursor is by now.
---@param bufnr integer
---@param current midfill.Suggestion which fits there
local function redraw(bufnr, current)
  local state, module = buffers[bufnr], completor(bufnr)
  local client = vim.lsp.get_client_by_id(current.client_id)
  if not module or not client then
    return
  end
  local place = suggestion.here(bufnr)
  if place.row ~= current.row then
    current = suggestion.rebased(current, place)
  end
  local at = position.to_client(bufnr, current.row, current.col, client.offset_encoding)
  local range = { start = at, ['end'] = at }
  state.items = { current }
  module.client_state[current.client_id].items = { { insertText = current.text, range = range } }
  module:select(1)
end

--- The answer as it may be drawn: nil where it came too late.
---@param bufnr integer
---@param client vim.lsp.Client
---@param result any
---@param asked midfill.Place
---@return lsp.InlineCompletionList?
local function drawable(bufnr, client, result, asked)
  local here, state = suggestion.here(bufnr), buffers[bufnr]
  local items, known = {}, {}
  for _, item in ipairs(result.items or result) do
    local made = suggestion.from_item(bufnr, item, client, asked)
    if suggestion.rest(made, here) then
      table.insert(items, vim.tbl_extend('force', item, { insertText = made.text }))
      table.insert(known, made)
    end
  end
  if #items == 0 and vim.deep_equal(here, asked) == false then
    return nil
  end
  state.items = known
  return { items = items }
end

--- Stand between the module and the server, for the one method.
---@param client vim.lsp.Client
local function listen_in(client)
  local request = client.request
  client.request = function(self, method, params, handler, bufnr, ...)
    local state = bufnr and buffers[bufnr]
    if method ~= asking.METHOD or not state or not handler then
      return request(self, method, params, handler, bufnr, ...)
    end
    stop_asking(bufnr, client)
    local asked = suggestion.here(bufnr)
    local id ---@type integer?
    local sent
    sent, id = request(self, method, params, function(err, result, context)
      if buffers[bufnr] ~= state or state.request ~= id then
        return
      end
      state.request = nil
      local answer = not err and result and drawable(bufnr, client, result, asked)
      if answer then
        handler(nil, answer, context)
        if answer.items[1] and M.current(bufnr) then
          compat.notify(client, 'textDocument/didShowCompletion', { item = answer.items[1] })
        end
      end
      if state.after then
        local after = state.after
        state.after = nil
        after()
      end
    end, bufnr, ...)
    state.request = sent and id or nil
    return sent, id
  end
end

---@param bufnr integer
---@param kind integer
---@param after? fun() when there is an answer
local function ask(bufnr, kind, after)
  local module = completor(bufnr)
  if module and buffers[bufnr] then
    buffers[bufnr].after = after
    module:reset_timer()
    module:request(kind)
  end
end

--- Runs behind the module's own answer to the same event.
---@param bufnr integer
---@param client vim.lsp.Client
local function changed(bufnr, client)
  local state, module = buffers[bufnr], completor(bufnr)
  if not state or not module then
    return
  end
  local seen = asking.state_of(bufnr)
  if fits(bufnr) then
    local current = M.current(bufnr)
    if current and current.row ~= suggestion.here(bufnr).row then
      redraw(bufnr, current)
    end
    state.seen = seen
    stop_asking(bufnr, client)
    return
  end
  if not module.current or module.current.client_id == state.client_id then
    forget(bufnr)
  end
  if seen == state.seen then
    module:reset_timer() -- one key makes several events; ours runs
    return
  end
  state.seen = seen
  stop_asking(bufnr, client)
  asking.when_idle(state, function()
    if asking.inserting() and not fits(bufnr) then
      ask(bufnr, asking.AUTOMATIC)
    end
  end)
end

---@type table<integer, boolean>
local heard = {}

---@param bufnr integer
---@param client vim.lsp.Client
---@param group integer of autocommands
function M.attach(bufnr, client, group)
  if not heard[client.id] then
    heard[client.id] = true
    listen_in(client)
  end
  buffers[bufnr] = { client_id = client.id, items = {} }
  vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
  asking.listen(bufnr, group, { 'InsertLeave' }, function()
    changed(bufnr, client)
  end, function()
    M.dismiss(bufnr)
    if buffers[bufnr] then
      buffers[bufnr].seen = nil
    end
  end)
end

---@param bufnr integer
function M.detach(bufnr)
  if not buffers[bufnr] then
    return
  end
  M.dismiss(bufnr)
  buffers[bufnr] = nil
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.lsp.inline_completion.enable(false, { bufnr = bufnr })
  end
end

---@param bufnr integer
function M.trigger(bufnr)
  ask(bufnr, asking.INVOKED, function()
    local module = completor(bufnr)
    if module and module.current and module:count_items() > 1 then
      module:select(module.current._index, true)
    end
  end)
end

---@param bufnr integer
---@param step integer
function M.cycle(bufnr, step)
  local module = completor(bufnr)
  if not module then
    return
  end
  local function go()
    if module:count_items() > 1 then
      vim.lsp.inline_completion.select({ bufnr = bufnr, count = step })
    end
  end
  if module:count_items() > 1 then
    go()
  else
    ask(bufnr, asking.INVOKED, go)
  end
end

---@param bufnr integer
---@return boolean whether something was shown
function M.dismiss(bufnr)
  local state, module = buffers[bufnr], completor(bufnr)
  local client = state and vim.lsp.get_client_by_id(state.client_id)
  if not module or not client then
    return false
  end
  local shown = module.current ~= nil
  stop_asking(bufnr, client)
  forget(bufnr)
  return shown
end

--- What was taken in part stays, and is drawn where it goes on.
---@param bufnr integer
---@param taken midfill.Suggestion
function M.keep(bufnr, taken)
  if buffers[bufnr] then
    redraw(bufnr, taken)
  end
end

return M

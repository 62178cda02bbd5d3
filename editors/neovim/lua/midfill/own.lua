--- Suggestions where Neovim has no inline completion of its own: asked for and drawn here.

local asking = require('midfill.asking')
local compat = require('midfill.compat')
local ghost = require('midfill.ghost')
local position = require('midfill.position')
local suggestion = require('midfill.suggestion')

local M = { name = 'own' }

---@class midfill.own.Buffer : midfill.Asking
---@field items midfill.Suggestion[]
---@field index integer
---@field numbered boolean whether the user is choosing

---@type table<integer, midfill.own.Buffer>
local buffers = {}

---@param bufnr integer
---@return midfill.own.Buffer?, vim.lsp.Client?
local function of(bufnr)
  local state = buffers[bufnr]
  local client = state and vim.lsp.get_client_by_id(state.client_id)
  if client then
    return state, client
  end
end

---@param bufnr integer
---@param state midfill.own.Buffer
local function forget(bufnr, state)
  state.items, state.index, state.numbered = {}, 1, false
  ghost.hide(bufnr)
end

---@param bufnr integer
---@return boolean whether something fits, and so is shown
local function draw(bufnr)
  local state = buffers[bufnr]
  local current = state.items[state.index]
  local place = suggestion.here(bufnr)
  local rest = current and suggestion.rest(current, place)
  if not rest then
    return false
  end
  local hint = state.numbered and (' (%d/%d)'):format(state.index, #state.items) or nil
  ghost.show(bufnr, place.row, place.col, rest, hint)
  return true
end

---@param bufnr integer
---@param kind integer
---@param then_do? fun() when there is an answer
local function ask(bufnr, kind, then_do)
  local state, client = of(bufnr)
  if not state or not client then
    return
  end
  asking.stop(state, client)
  local place = suggestion.here(bufnr)
  local params = {
    textDocument = vim.lsp.util.make_text_document_params(bufnr),
    position = position.to_client(bufnr, place.row, place.col, client.offset_encoding),
    context = { triggerKind = kind },
  }
  local id ---@type integer?
  local sent
  sent, id = compat.request(client, asking.METHOD, params, function(err, result)
    if buffers[bufnr] ~= state or state.request ~= id then
      return
    end
    state.request = nil
    if err or not result or not asking.inserting() then
      return
    end
    forget(bufnr, state)
    for _, item in ipairs(result.items or result) do
      table.insert(state.items, suggestion.from_item(bufnr, item, client, place))
    end
    if draw(bufnr) then
      compat.notify(client, 'textDocument/didShowCompletion', { item = state.items[1].item })
    else
      forget(bufnr, state)
    end
    if then_do then
      then_do()
    end
  end, bufnr)
  state.request = sent and id or nil
end

---@param bufnr integer
local function changed(bufnr)
  local state, client = of(bufnr)
  if not state or not client then
    return
  end
  local seen = asking.state_of(bufnr)
  if seen == state.seen then
    return -- one key makes several events
  end
  state.seen = seen
  asking.stop(state, client)
  if draw(bufnr) then
    return
  end
  forget(bufnr, state)
  asking.when_idle(state, function()
    ask(bufnr, asking.AUTOMATIC)
  end)
end

---@param bufnr integer
---@param client vim.lsp.Client
---@param group integer of autocommands
function M.attach(bufnr, client, group)
  buffers[bufnr] = { client_id = client.id, items = {}, index = 1, numbered = false }
  asking.listen(bufnr, group, { 'InsertLeave', 'BufLeave' }, function()
    changed(bufnr)
  end, function()
    M.dismiss(bufnr)
    if buffers[bufnr] then
      buffers[bufnr].seen = nil
    end
  end)
end

---@param bufnr integer
function M.detach(bufnr)
  M.dismiss(bufnr)
  buffers[bufnr] = nil
end

---@param bufnr integer
---@return midfill.Suggestion?
function M.current(bufnr)
  local state = buffers[bufnr]
  return state and state.items[state.index]
end

---@param bufnr integer
function M.trigger(bufnr)
  ask(bufnr, asking.INVOKED, function()
    local state = buffers[bufnr]
    if state and #state.items > 1 then
      state.numbered = true
      draw(bufnr)
    end
  end)
end

---@param bufnr integer
---@param step integer
function M.cycle(bufnr, step)
  local state = buffers[bufnr]
  if not state then
    return
  end
  local function go()
    if #state.items > 1 then
      state.index = (state.index - 1 + step) % #state.items + 1
      state.numbered = true
      draw(bufnr)
    end
  end
  if #state.items > 1 then
    go()
  else
    ask(bufnr, asking.INVOKED, go)
  end
end

---@param bufnr integer
---@return boolean whether something was shown
function M.dismiss(bufnr)
  local state, client = of(bufnr)
  if not state then
    ghost.hide(bufnr)
    return false
  end
  local shown = state.items[1] ~= nil
  if client then
    asking.stop(state, client)
  end
  forget(bufnr, state)
  return shown
end

--- What was taken in part stays, and is drawn where it goes on.
---@param bufnr integer
---@param taken midfill.Suggestion
function M.keep(bufnr, taken)
  local state = buffers[bufnr]
  if state then
    state.items, state.index, state.numbered = { taken }, 1, false
    draw(bufnr)
  end
end

return M

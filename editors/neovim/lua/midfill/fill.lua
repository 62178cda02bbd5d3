--- Ranges and placeholders that the server fills in place, with their drafts in view.

local compat = require('midfill.compat')
local config = require('midfill.config')
local draft = require('midfill.draft')
local position = require('midfill.position')
local say = require('midfill.say')

local M = {}

local LONGEST_WAIT_FOR_EDIT = 3000
local HOLES = vim.api.nvim_create_namespace('midfill.holes')

---@class midfill.Fill one that runs
---@field client_id integer
---@field token string|integer
---@field bufnr integer
---@field holes integer[] extmarks
---@field drafts table<integer, midfill.Draft> the last of each hole, by its number from 0
---@field ended boolean its edit may come any moment

---@type table<string, midfill.Fill>
local running = {}

---@param client_id integer
---@param token string|integer
---@return string
local function key_of(client_id, token)
  return client_id .. ':' .. token
end

---@param fill midfill.Fill
---@param number integer
---@return midfill.Stretch?
local function stretch_of(fill, number)
  local id = fill.holes[number + 1]
  local at = id and vim.api.nvim_buf_get_extmark_by_id(fill.bufnr, HOLES, id, { details = true })
  if not at or not at[1] or at[3].invalid then
    return nil
  end
  return { row = at[1], col = at[2], end_row = at[3].end_row, end_col = at[3].end_col }
end

---@param bufnr integer
local function draw(bufnr)
  draft.hide(bufnr)
  for _, fill in pairs(running) do
    if fill.bufnr == bufnr then
      for number, last in pairs(fill.drafts) do
        local stretch = stretch_of(fill, number)
        if stretch then
          draft.show(bufnr, stretch, last)
        end
      end
    end
  end
end

---@param bufnr integer
---@return boolean
local function busy(bufnr)
  return vim.iter(pairs(running)):any(function(_, fill)
    return fill.bufnr == bufnr
  end)
end

---@param bufnr integer
local function offer_to_cancel(bufnr)
  local lhs = config.options.keys and config.options.keys.cancel
  if lhs then
    local options = { buffer = bufnr, desc = 'Midfill: cancel the fill' }
    vim.keymap.set('n', lhs, M.cancel, options)
  end
end

---@param bufnr integer
local function take_back_offer(bufnr)
  local lhs = config.options.keys and config.options.keys.cancel
  if lhs and vim.api.nvim_buf_is_valid(bufnr) then
    pcall(vim.keymap.del, 'n', lhs, { buffer = bufnr })
  end
end

---@param value table
---@param client vim.lsp.Client
---@param token string|integer
local function begin(value, client, token)
  local bufnr = vim.uri_to_bufnr(value.fill.uri)
  if not vim.api.nvim_buf_is_loaded(bufnr) then
    return
  end
  ---@type midfill.Fill
  local fill = {
    client_id = client.id,
    token = token,
    bufnr = bufnr,
    holes = {},
    drafts = {},
    ended = false,
  }
  for _, range in ipairs(value.fill.holes) do
    local row, col = position.from_client(bufnr, range.start, client.offset_encoding)
    local end_row, end_col = position.from_client(bufnr, range['end'], client.offset_encoding)
    local id = vim.api.nvim_buf_set_extmark(bufnr, HOLES, row, col, {
      end_row = end_row,
      end_col = end_col,
      right_gravity = false,
      end_right_gravity = true,
    })
    table.insert(fill.holes, id)
  end
  running[key_of(client.id, token)] = fill
  offer_to_cancel(bufnr)
end

---@param key string
local function finish(key)
  local fill = running[key]
  running[key] = nil
  if not fill or not vim.api.nvim_buf_is_valid(fill.bufnr) then
    return
  end
  for _, id in ipairs(fill.holes) do
    vim.api.nvim_buf_del_extmark(fill.bufnr, HOLES, id)
  end
  draw(fill.bufnr)
  if not busy(fill.bufnr) then
    take_back_offer(fill.bufnr)
  end
end

--- Take a progress notification.
---@param result { token: string|integer, value: table }
---@param context lsp.HandlerContext
function M.progress(result, context)
  local value, key = result.value, key_of(context.client_id, result.token)
  local client = vim.lsp.get_client_by_id(context.client_id)
  if type(value) ~= 'table' or not client then
    return
  elseif value.kind == 'begin' and value.fill then
    begin(value, client, result.token)
  elseif value.kind == 'report' and value.draft and running[key] then
    running[key].drafts[value.draft.hole] = value.draft
    draw(running[key].bufnr)
  elseif value.kind == 'end' and running[key] then
    -- The edit comes next: until it lands the draft stays, so that nothing flickers.
    running[key].ended = true
    vim.defer_fn(function()
      finish(key)
    end, LONGEST_WAIT_FOR_EDIT)
  end
end

--- An edit of a server's is about to be made: what was drawn for it makes way.
---@param client_id integer
function M.edit_comes(client_id)
  for key, fill in pairs(running) do
    if fill.client_id == client_id and fill.ended then
      finish(key)
    end
  end
end

--- A server has ended, with all that it did.
---@param client_id integer
function M.gone(client_id)
  for key, fill in pairs(running) do
    if fill.client_id == client_id then
      finish(key)
    end
  end
end

--- Cancel what runs in the current buffer.
---@return boolean whether something did
function M.cancel()
  local bufnr, cancelled = vim.api.nvim_get_current_buf(), false
  for key, fill in pairs(running) do
    local client = vim.lsp.get_client_by_id(fill.client_id)
    if fill.bufnr == bufnr and client then
      compat.notify(client, 'window/workDoneProgress/cancel', { token = fill.token })
      finish(key)
      cancelled = true
    end
  end
  if cancelled then
    say.say('the fill is cancelled.')
  end
  return cancelled
end

--- What lines of a buffer are being filled, for others to know.
---@param bufnr? integer
---@return boolean
function M.running(bufnr)
  return busy(bufnr or vim.api.nvim_get_current_buf())
end

--- Everything of one buffer that was drawn goes when its command has been answered.
---@param bufnr integer
local function answered(bufnr)
  for key, fill in pairs(running) do
    if fill.bufnr == bufnr then
      finish(key)
    end
  end
end

---@param stretch? midfill.Stretch
---@param command string
local function ask(command, stretch)
  local client_side = require('midfill.client')
  local bufnr = vim.api.nvim_get_current_buf()
  local client = client_side.of(bufnr)
  local arguments = { vim.uri_from_bufnr(bufnr) } ---@type any[]
  if stretch and client then
    local encoding = client.offset_encoding
    table.insert(arguments, {
      start = position.to_client(bufnr, stretch.row, stretch.col, encoding),
      ['end'] = position.to_client(bufnr, stretch.end_row, stretch.end_col, encoding),
    })
  end
  client_side.run(command, arguments, function()
    answered(bufnr)
  end)
end

--- Replace a stretch by what fits there.
---@param stretch midfill.Stretch
function M.range(stretch)
  ask('midfill.fillRange', stretch)
end

--- Fill the placeholders of the buffer, or of some lines of it.
---@param first? integer from 0
---@param last? integer
function M.holes(first, last)
  if not first or not last then
    return ask('midfill.fillHoles')
  end
  local col = #position.line(0, last)
  ask('midfill.fillHoles', { row = first, col = 0, end_row = last, end_col = col })
end

--- Whole lines, but for the first one's indentation, which stays.
---@param first integer from 0
---@param last integer
---@return midfill.Stretch
function M.lines(first, last)
  local indent = #position.line(0, first):match('^%s*')
  return { row = first, col = indent, end_row = last, end_col = #position.line(0, last) }
end

--- What is selected, or was last.
---@return midfill.Stretch
function M.selection()
  local mode = vim.fn.visualmode()
  local first, last = vim.fn.getpos("'<"), vim.fn.getpos("'>")
  if mode ~= 'v' then
    return M.lines(first[2] - 1, last[2] - 1)
  end
  local line = position.line(0, last[2] - 1)
  local col = math.min(last[3] - 1, #line)
  -- The selection ends behind its last character, which may be several bytes long.
  if vim.o.selection ~= 'exclusive' and col < #line then
    col = col + #vim.fn.strcharpart(line:sub(col + 1), 0, 1)
  end
  return { row = first[2] - 1, col = first[3] - 1, end_row = last[2] - 1, end_col = col }
end

return M

--- Keys, in buffers with Midfill only. One that does nothing here does what it did before.

local config = require('midfill.config')
local inline = require('midfill.inline')
local suggestion = require('midfill.suggestion')

local M = {}

local OURS = 'Midfill: '

---@class midfill.Key
---@field plug string
---@field desc string
---@field act fun(): boolean whether there was something to do

---@type table<string, midfill.Key>
M.insert = {
  accept = {
    plug = '<Plug>(midfill-accept)',
    desc = 'accept the suggestion',
    act = function()
      -- Whoever has chosen an entry of the completion list means that.
      local chosen = vim.fn.pumvisible() == 1 and vim.fn.complete_info({ 'selected' }).selected >= 0
      return not chosen and inline.accept()
    end,
  },
  accept_word = {
    plug = '<Plug>(midfill-accept-word)',
    desc = 'accept a word',
    act = function()
      return inline.accept(suggestion.word)
    end,
  },
  accept_line = {
    plug = '<Plug>(midfill-accept-line)',
    desc = 'accept a line',
    act = function()
      return inline.accept(suggestion.line)
    end,
  },
  next = {
    plug = '<Plug>(midfill-next)',
    desc = 'next suggestion',
    act = function()
      inline.cycle(1)
      return true
    end,
  },
  previous = {
    plug = '<Plug>(midfill-previous)',
    desc = 'previous suggestion',
    act = function()
      inline.cycle(-1)
      return true
    end,
  },
  trigger = {
    plug = '<Plug>(midfill-trigger)',
    desc = 'ask for a suggestion',
    act = function()
      inline.trigger()
      return true
    end,
  },
  dismiss = {
    plug = '<Plug>(midfill-dismiss)',
    desc = 'dismiss the suggestion',
    act = inline.dismiss,
  },
}

---@param keys string
---@param remap boolean
local function type_keys(keys, remap)
  vim.api.nvim_feedkeys(keys, remap and 'im' or 'in', false)
end

---@param text string
---@return string
local function coded(text)
  return vim.api.nvim_replace_termcodes(text, true, true, true)
end

--- Do what a mapping does.
---@param map table<string, any> as `maparg` describes it
local function run(map)
  local remap = map.noremap == 0
  if not map.callback and map.expr ~= 1 then
    local rhs = (map.rhs or ''):gsub('<[sS][iI][dD]>', ('<SNR>%d_'):format(map.sid or 0))
    type_keys(coded(rhs), remap)
    return
  end
  local result
  if map.callback then
    result = map.callback()
  else
    result = vim.api.nvim_eval(map.rhs)
  end
  if map.expr == 1 and type(result) == 'string' then
    type_keys(map.replace_keycodes == 1 and coded(result) or result, remap)
  end
end

---@param maps table<string, any>[]
---@param lhs string
---@return table<string, any>?
local function find(maps, lhs)
  local wanted = coded(lhs)
  return vim.iter(maps):find(function(map)
    return map.lhsraw == wanted or coded(map.lhs) == wanted
  end)
end

--- The user's mapping for a key in all buffers, as it is now.
---@param lhs string
---@return table<string, any>?
local function everywhere(lhs)
  return find(vim.api.nvim_get_keymap('i'), lhs)
end

--- The buffer's own mapping for a key, unless it is ours.
---@param bufnr integer
---@param lhs string
---@return table<string, any>?
local function of_buffer(bufnr, lhs)
  local map = find(vim.api.nvim_buf_get_keymap(bufnr, 'i'), lhs)
  local ours = map and vim.startswith(map.desc or '', OURS)
  return not ours and map or nil
end

---@param bufnr integer
function M.attach(bufnr)
  local wanted = config.options.keys
  if not wanted then
    return
  end
  for name, key in pairs(M.insert) do
    local lhs = wanted[name]
    if lhs then
      local before = of_buffer(bufnr, lhs)
      vim.keymap.set('i', lhs, function()
        if key.act() then
          return
        end
        local map = before or everywhere(lhs)
        if map then
          run(map)
        else
          type_keys(coded(lhs), false)
        end
      end, { buffer = bufnr, desc = OURS .. key.desc })
    end
  end
  if wanted.fill then
    vim.keymap.set('x', wanted.fill, '<Plug>(midfill-fill)', {
      buffer = bufnr,
      remap = true,
      desc = OURS .. 'fill the selection',
    })
  end
end

return M

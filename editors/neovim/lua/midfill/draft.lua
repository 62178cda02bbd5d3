--- A fill that is still being denoised, drawn over the text that it will replace.

local virtual_text = require('midfill.virtual_text')

local M = {}

M.namespace = vim.api.nvim_create_namespace('midfill.draft')

local MASK = '░'
local MASKS = 24

---@class midfill.Draft what a progress report carries
---@field text string what is certain
---@field guess string what may still change
---@field masked integer slots without anything yet
---@field hole integer

---@alias midfill.Chunk [string, string]

--- A draft as lines of pieces of text, each with its highlight.
---@param draft midfill.Draft
---@return midfill.Chunk[][]
function M.lines(draft)
  local lines = { {} } ---@type midfill.Chunk[][]
  local function add(text, group)
    local pieces = vim.split(text:gsub('\r\n?', '\n'), '\n', { plain = true })
    for number, piece in ipairs(pieces) do
      if number > 1 then
        table.insert(lines, {})
      end
      if piece ~= '' then
        table.insert(lines[#lines], { virtual_text.without_tabs(piece), group })
      end
    end
  end
  add(draft.text or '', 'MidfillKnown')
  add(draft.guess or '', 'MidfillGuess')
  add(MASK:rep(math.min(draft.masked or 0, MASKS)), 'MidfillMask')
  return lines
end

--- The first columns of some pieces, and the rest of them.
---@param chunks midfill.Chunk[]
---@param width integer
---@return midfill.Chunk[] first exactly as wide
---@return midfill.Chunk[] rest
function M.cut(chunks, width)
  local first, rest, left = {}, {}, width
  for _, chunk in ipairs(chunks) do
    local text, group = chunk[1], chunk[2]
    local characters = vim.fn.split(text, '\\zs')
    local taken = 0
    while taken < #characters and vim.fn.strdisplaywidth(characters[taken + 1]) <= left do
      taken = taken + 1
      left = left - vim.fn.strdisplaywidth(characters[taken])
    end
    local head = table.concat(characters, '', 1, taken)
    local tail = table.concat(characters, '', taken + 1)
    if head ~= '' then
      table.insert(first, { head, group })
    end
    if tail ~= '' then
      table.insert(rest, { tail, group })
      left = 0
    end
  end
  if left > 0 then
    table.insert(first, { (' '):rep(left), 'MidfillKnown' })
  end
  return first, rest
end

---@class midfill.Stretch what a hole covers, with ends like those of `nvim_buf_set_text`
---@field row integer
---@field col integer
---@field end_row integer
---@field end_col integer

--- Draw a draft over a stretch of the text.
---@param bufnr integer
---@param stretch midfill.Stretch
---@param draft midfill.Draft
function M.show(bufnr, stretch, draft)
  local lines = M.lines(draft)
  local old = vim.api.nvim_buf_get_lines(bufnr, stretch.row, stretch.end_row + 1, false)
  for number, line in ipairs(old) do
    local row = stretch.row + number - 1
    local from = number == 1 and stretch.col or 0
    local to = row == stretch.end_row and stretch.end_col or #line
    local before = vim.fn.strdisplaywidth(line:sub(1, from))
    local width = vim.fn.strdisplaywidth(line:sub(from + 1, to), before)
    local first, rest = M.cut(lines[number] or {}, width)
    if width > 0 then
      vim.api.nvim_buf_set_extmark(bufnr, M.namespace, row, from, {
        virt_text = first,
        virt_text_pos = 'overlay',
      })
    end
    if #rest > 0 then
      vim.api.nvim_buf_set_extmark(bufnr, M.namespace, row, to, {
        virt_text = rest,
        virt_text_pos = 'inline',
        right_gravity = false,
      })
    end
  end
  local more = vim.list_slice(lines, #old + 1)
  if #more > 0 then
    vim.api.nvim_buf_set_extmark(bufnr, M.namespace, stretch.end_row, 0, { virt_lines = more })
  end
end

---@param bufnr integer
function M.hide(bufnr)
  virtual_text.clear(bufnr, M.namespace)
end

return M

--- A suggestion, and whether it still fits what has been typed. Values only, but for `here`.

local position = require('midfill.position')

local M = {}

---@class midfill.Suggestion
---@field item lsp.InlineCompletionItem as it came
---@field client_id integer
---@field text string with '\n' for a line break
---@field skipped integer bytes of the item's text that stand before `text`
---@field row integer where it begins
---@field col integer
---@field before string the line up to there
---@field after string the line behind what it replaces

---@class midfill.Place
---@field bufnr integer
---@field row integer of the cursor
---@field col integer
---@field line string

--- Brackets and quotes that editors put behind the cursor on their own.
local CLOSERS = '^[%)%]}>"\'`]+$'

---@param bufnr integer
---@return midfill.Place
function M.here(bufnr)
  local row, col = position.cursor(bufnr)
  return { bufnr = bufnr, row = row, col = col, line = position.line(bufnr, row) }
end

--- Where the text of an item stands; what is around it is taken from the buffer.
---@param bufnr integer
---@param item lsp.InlineCompletionItem
---@param client vim.lsp.Client
---@param asked midfill.Place where it was asked for
---@return midfill.Suggestion
function M.from_item(bufnr, item, client, asked)
  local text = item.insertText
  if type(text) == 'table' then
    text = text.value
  end
  local row, first, last = asked.row, asked.col, asked.col
  if item.range then
    local encoding = client.offset_encoding
    row, first = position.from_client(bufnr, item.range.start, encoding)
    last = select(2, position.from_client(bufnr, item.range['end'], encoding))
  end
  return {
    item = item,
    client_id = client.id,
    text = text:gsub('\r\n?', '\n'),
    skipped = 0,
    row = row,
    col = first,
    before = asked.line:sub(1, first),
    after = asked.line:sub(last + 1),
  }
end

--- What has been put behind the cursor by itself, if nothing else is different there.
---@param suggestion midfill.Suggestion
---@param place midfill.Place
---@return string? closers
local function closed_behind(suggestion, place)
  local behind = place.line:sub(place.col + 1)
  if behind == suggestion.after then
    return ''
  end
  local extra = #behind - #suggestion.after
  if extra > 0 and behind:sub(extra + 1) == suggestion.after then
    local closers = behind:sub(1, extra)
    return closers:match(CLOSERS) and closers or nil
  end
end

--- The text from where the suggestion begins to the cursor, if it may be a part of it.
---@param suggestion midfill.Suggestion
---@param place midfill.Place
---@return string?
local function typed_so_far(suggestion, place)
  local rows = place.row - suggestion.row
  if rows < 0 or (rows == 0 and place.col < suggestion.col) then
    return nil
  end
  local lines = { place.line }
  if rows > 0 then
    local _, breaks = suggestion.text:gsub('\n', '')
    if rows > breaks then
      return nil
    end
    lines = vim.api.nvim_buf_get_lines(place.bufnr, suggestion.row, place.row + 1, false)
  end
  lines[#lines] = lines[#lines]:sub(1, place.col)
  if lines[1]:sub(1, suggestion.col) ~= suggestion.before then
    return nil
  end
  lines[1] = lines[1]:sub(suggestion.col + 1)
  return table.concat(lines, '\n')
end

--- What of the suggestion is still to be typed at a place.
---@param suggestion midfill.Suggestion
---@param place midfill.Place
---@return string? rest nil if it does not fit there, or nothing of it is left
---@return string? closers what it takes the place of behind the cursor
function M.rest(suggestion, place)
  local typed = typed_so_far(suggestion, place)
  if not typed or #typed == #suggestion.text or not vim.startswith(suggestion.text, typed) then
    return nil
  end
  local closers = closed_behind(suggestion, place)
  if not closers then
    return nil
  end
  local rest = suggestion.text:sub(#typed + 1)
  return rest, rest:find(closers, 1, true) and closers or ''
end

--- The same suggestion as if it began at a place that it has been typed to.
---@param suggestion midfill.Suggestion
---@param place midfill.Place where it fits
---@return midfill.Suggestion
function M.rebased(suggestion, place)
  local rest = assert(M.rest(suggestion, place))
  return vim.tbl_extend('force', suggestion, {
    text = rest,
    skipped = suggestion.skipped + #suggestion.text - #rest,
    row = place.row,
    col = place.col,
    before = place.line:sub(1, place.col),
    after = place.line:sub(place.col + 1),
  })
end

--- The beginning of a rest that counts as its next word, blanks before it included.
---@param rest string
---@return string
function M.word(rest)
  return rest:match('^%s*[%w_\128-\255]+') or rest:match('^%s*[^%w_%s\128-\255]+') or rest
end

--- The beginning of a rest up to the end of its line; of the next line where that comes at once.
---@param rest string
---@return string
function M.line(rest)
  return rest:match('^\n*[^\n]+') or rest
end

return M

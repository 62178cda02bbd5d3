--- What the user wants of the plugin. What the server is to do is in `settings` and checked there.

local M = {}

---@class midfill.Keys
---@field accept string|false
---@field accept_word string|false
---@field accept_line string|false
---@field next string|false
---@field previous string|false
---@field trigger string|false
---@field dismiss string|false
---@field fill string|false in Visual mode
---@field cancel string|false in Normal mode, while a fill is running

---@class midfill.Options
---@field enabled boolean whether to start without being asked
---@field cmd string[] the server
---@field settings table<string, any> the server's, see docs/settings.md
---@field filetypes string[]|nil only these; all if nil
---@field disabled_filetypes string[] never these
---@field root_markers string[] what the folder of a workspace has
---@field ghost_text 'auto'|'builtin'|'own' who draws suggestions
---@field debounce integer milliseconds from a key to the question; the server waits as well
---@field keys midfill.Keys|false
---@field crashes { most: integer, within: integer } so many within so many seconds end the attempts

---@return midfill.Options
local function defaults()
  return {
    enabled = true,
    cmd = { 'midfill', 'lsp' },
    settings = {},
    filetypes = nil,
    disabled_filetypes = { 'help', 'netrw', 'gitrebase', 'checkhealth', 'qf' },
    root_markers = { '.midfill.toml', '.midfillignore', '.git', 'pyproject.toml', 'package.json' },
    ghost_text = 'auto',
    debounce = 30,
    keys = {
      accept = '<Tab>',
      accept_word = '<M-f>',
      accept_line = '<M-e>',
      next = '<M-]>',
      previous = '<M-[>',
      trigger = '<M-\\>',
      dismiss = '<C-]>',
      fill = false,
      cancel = '<C-c>',
    },
    crashes = { most = 4, within = 180 },
  }
end

--- What an option may be, for the message.
---@type table<string, fun(value: any): boolean, string?>
local rules = {
  enabled = function(value)
    return type(value) == 'boolean', 'true or false'
  end,
  cmd = function(value)
    return vim.islist(value) and type(value[1]) == 'string', 'a list of strings'
  end,
  settings = function(value)
    return type(value) == 'table', 'a table'
  end,
  filetypes = function(value)
    return vim.islist(value), 'a list of file types'
  end,
  disabled_filetypes = function(value)
    return vim.islist(value), 'a list of file types'
  end,
  root_markers = function(value)
    return vim.islist(value), 'a list of file names'
  end,
  ghost_text = function(value)
    return vim.tbl_contains({ 'auto', 'builtin', 'own' }, value), "'auto', 'builtin' or 'own'"
  end,
  debounce = function(value)
    return type(value) == 'number' and value >= 0, 'milliseconds, 0 or more'
  end,
  keys = function(value)
    return value == false or type(value) == 'table', 'a table, or false for none'
  end,
  crashes = function(value)
    return type(value) == 'table', '{ most = …, within = … }'
  end,
}

---@type midfill.Options
M.options = defaults()

--- Take what the user has said; wrong options are named and stay as they were.
---@param said? table
---@return string[] complaints
function M.set(said)
  local options = defaults()
  local complaints = {}
  for name, value in pairs(said or {}) do
    local rule = rules[name]
    if not rule then
      table.insert(complaints, ('there is no option %s'):format(name))
    else
      local fine, wanted = rule(value)
      if not fine then
        table.insert(complaints, ('%s has to be %s'):format(name, wanted))
      elseif name == 'keys' and value ~= false or name == 'crashes' then
        options[name] = vim.tbl_extend('force', options[name], value)
      else
        options[name] = value
      end
    end
  end
  table.sort(complaints)
  M.options = options
  return complaints
end

--- Whether suggestions are for this buffer.
---@param bufnr integer
---@return boolean
function M.wanted_in(bufnr)
  local options, filetype = M.options, vim.bo[bufnr].filetype
  local unknown = filetype == '' or vim.api.nvim_buf_get_name(bufnr) == ''
  if unknown or vim.bo[bufnr].buftype ~= '' then
    return false
  elseif vim.tbl_contains(options.disabled_filetypes, filetype) then
    return false
  end
  return options.filetypes == nil or vim.tbl_contains(options.filetypes, filetype)
end

return M

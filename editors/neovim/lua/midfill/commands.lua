--- `:Midfill` and what may stand behind it.

local client = require('midfill.client')
local compat = require('midfill.compat')
local config = require('midfill.config')
local fill = require('midfill.fill')
local inline = require('midfill.inline')
local page = require('midfill.page')
local position = require('midfill.position')
local program = require('midfill.program')
local say = require('midfill.say')
local status = require('midfill.status')
local suggestion = require('midfill.suggestion')

local M = {}

---@class midfill.Arguments
---@field words string[] behind the subcommand
---@field first? integer of the lines before the command, from 0
---@field last? integer
---@field selected boolean whether they are those that were selected

---@class midfill.Subcommand
---@field run fun(arguments: midfill.Arguments)
---@field words? fun(): string[] what may follow

---@return string
local function uri()
  return vim.uri_from_bufnr(0)
end

---@param name string
---@param arguments string[]
local function show_output(name, arguments)
  program.run(arguments, function(outcome)
    local text = vim.trim(outcome.stdout .. '\n' .. outcome.stderr)
    page.open(name, text ~= '' and text or ('It ended with status %d.'):format(outcome.code))
  end)
end

---@param words string[]
---@param on boolean
local function switch(words, on)
  if words[1] == 'buffer' then
    client.enable_in(vim.api.nvim_get_current_buf(), on)
  else
    client.enable(on)
  end
end

local function buffer_word()
  return { 'buffer' }
end

---@type string[]?
local models

--- What `midfill model list` names; looked up once.
---@return string[]
local function model_names()
  if models then
    return models
  end
  local outcome = program.wait({ 'model', 'list', '--json' }, 5000)
  local read, report = pcall(vim.json.decode, outcome.stdout)
  if not read or type(report) ~= 'table' or not report.models then
    return { 'embedded' }
  end
  models = vim.tbl_map(function(model)
    return model.name
  end, report.models)
  return models
end

---@param part? fun(rest: string): string
local function accept(part)
  if not inline.accept(part) then
    say.say('there is no suggestion to accept.')
  end
end

---@type table<string, midfill.Subcommand>
M.subcommands = {
  enable = {
    run = function(arguments)
      switch(arguments.words, true)
    end,
    words = buffer_word,
  },
  disable = {
    run = function(arguments)
      switch(arguments.words, false)
    end,
    words = buffer_word,
  },
  toggle = {
    run = function(arguments)
      local here = vim.api.nvim_get_current_buf()
      local on = client.enabled
      if arguments.words[1] == 'buffer' then
        on = client.on_in(here)
      end
      switch(arguments.words, not on)
    end,
    words = buffer_word,
  },
  trigger = {
    run = function()
      if vim.api.nvim_get_mode().mode:sub(1, 1) == 'i' then
        return inline.trigger()
      end
      vim.api.nvim_create_autocmd('InsertEnter', {
        once = true,
        callback = vim.schedule_wrap(inline.trigger),
      })
      vim.cmd(vim.fn.col('.') >= vim.fn.col('$') - 1 and 'startinsert!' or 'startinsert')
    end,
  },
  accept = {
    run = function(arguments)
      local parts = { word = suggestion.word, line = suggestion.line }
      accept(parts[arguments.words[1]])
    end,
    words = function()
      return { 'word', 'line' }
    end,
  },
  next = {
    run = function()
      inline.cycle(1)
    end,
  },
  previous = {
    run = function()
      inline.cycle(-1)
    end,
  },
  dismiss = {
    run = function()
      inline.dismiss()
    end,
  },
  explain = {
    run = function()
      client.run('midfill.explain', { uri() })
    end,
  },
  prompt = {
    run = function()
      local here = client.of()
      local row, col = position.cursor(0)
      local at = position.to_client(0, row, col, here and here.offset_encoding or 'utf-8')
      client.run('midfill.showPrompt', { uri(), at }, function(result)
        if type(result) == 'string' then
          page.open('prompt', result, 'markdown')
        end
      end)
    end,
  },
  snooze = {
    run = function(arguments)
      local minutes = tonumber(arguments.words[1])
      if arguments.words[1] and not minutes then
        return say.say('snooze takes a number of minutes.', vim.log.levels.WARN)
      end
      client.run('midfill.snooze', { minutes })
    end,
    words = function()
      return { '5', '15', '30', '60' }
    end,
  },
  resume = {
    run = function()
      client.run('midfill.resume', {})
    end,
  },
  fill = {
    run = function(arguments)
      if arguments.selected then
        fill.range(fill.selection())
      elseif arguments.first then
        fill.range(fill.lines(arguments.first, arguments.last))
      else
        local row = vim.api.nvim_win_get_cursor(0)[1] - 1
        fill.range(fill.lines(row, row))
      end
    end,
  },
  holes = {
    run = function(arguments)
      fill.holes(arguments.first, arguments.last)
    end,
  },
  cancel = {
    run = function()
      if not fill.cancel() then
        say.say('no fill is running here.')
      end
    end,
  },
  status = {
    run = function()
      say.say(status.sentence())
    end,
  },
  stats = {
    run = function(arguments)
      local days = arguments.words[1]
      show_output('stats', days and { 'stats', '--days', days } or { 'stats' })
    end,
    words = function()
      return { '1', '7', '30' }
    end,
  },
  restart = { run = client.restart },
  log = {
    run = function(arguments)
      if arguments.words[1] ~= 'engine' then
        return page.log(compat.log_file())
      end
      local path = program.engine_log()
      if path then
        page.log(path)
      else
        say.say('no engine has written a log yet.')
      end
    end,
    words = function()
      return { 'engine' }
    end,
  },
  model = {
    run = function(arguments)
      local name = arguments.words[1]
      if not name then
        return show_output('models', { 'model', 'list' })
      end
      client.configure(vim.tbl_extend('force', config.options.settings, { model = name }))
      client.restart()
    end,
    words = model_names,
  },
  health = {
    run = function()
      vim.cmd('checkhealth midfill')
    end,
  },
}

---@param options vim.api.keyset.create_user_command.command_args
function M.run(options)
  local name = options.fargs[1]
  local subcommand = M.subcommands[name or 'status']
  if not subcommand then
    return say.say(('there is no :Midfill %s.'):format(name), vim.log.levels.ERROR)
  end
  local ranged = options.range > 0
  local by_marks = options.range == 2
    and options.line1 == vim.fn.line("'<")
    and options.line2 == vim.fn.line("'>")
  subcommand.run({
    words = vim.list_slice(options.fargs, 2),
    first = ranged and options.line1 - 1 or nil,
    last = ranged and options.line2 - 1 or nil,
    selected = by_marks,
  })
end

--- What may come next on a command line.
---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local words = vim.split(line:gsub('^.-Midfill!?%s*', ''), '%s+')
  local choices = vim.tbl_keys(M.subcommands)
  if #words > 1 then
    local subcommand = M.subcommands[words[1]]
    choices = #words == 2 and subcommand and subcommand.words and subcommand.words() or {}
  end
  choices = vim.tbl_filter(function(choice)
    return vim.startswith(choice, lead)
  end, choices)
  table.sort(choices, function(one, other)
    return (tonumber(one) or 0) < (tonumber(other) or 0) or tonumber(one) == nil and one < other
  end)
  return choices
end

return M

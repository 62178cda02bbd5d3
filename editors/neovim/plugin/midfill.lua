if vim.g.loaded_midfill then
  return
end
vim.g.loaded_midfill = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.notify('Midfill: it needs Neovim 0.10 or newer', vim.log.levels.WARN)
  return
end

vim.api.nvim_create_user_command('Midfill', function(options)
  require('midfill.commands').run(options)
end, {
  nargs = '*',
  range = true,
  desc = 'Midfill: see :help :Midfill',
  complete = function(...)
    return require('midfill.commands').complete(...)
  end,
})

for _, name in ipairs({
  'accept',
  'accept-word',
  'accept-line',
  'next',
  'previous',
  'trigger',
  'dismiss',
}) do
  vim.keymap.set('i', ('<Plug>(midfill-%s)'):format(name), function()
    require('midfill.keys').insert[name:gsub('-', '_')].act()
  end, { desc = 'Midfill: ' .. name })
end

-- Leaving Visual mode sets the marks of what was selected.
vim.keymap.set('x', '<Plug>(midfill-fill)', function()
  vim.cmd('normal! \27')
  local fill = require('midfill.fill')
  fill.range(fill.selection())
end, { desc = 'Midfill: fill the selection' })

vim.keymap.set('n', '<Plug>(midfill-holes)', function()
  require('midfill.fill').holes()
end, { desc = 'Midfill: fill all placeholders' })

vim.keymap.set('n', '<Plug>(midfill-cancel)', function()
  require('midfill.fill').cancel()
end, { desc = 'Midfill: cancel the fill' })

-- Whoever calls `setup` has done so by the time that Neovim has started; nobody has to.
local function begin()
  if vim.g.midfill ~= false and not require('midfill').is_set_up() then
    require('midfill').setup(type(vim.g.midfill) == 'table' and vim.g.midfill or nil)
  end
end

if vim.v.vim_did_enter == 1 then
  vim.schedule(begin)
else
  vim.api.nvim_create_autocmd('VimEnter', { once = true, callback = begin })
end

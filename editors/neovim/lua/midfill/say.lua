--- Words to the user, each that may come at every key only once.

local M = {}

---@type table<string, boolean>
local said = {}

---@param text string
---@param level? integer one of vim.log.levels
function M.say(text, level)
  vim.schedule(function()
    vim.notify('Midfill: ' .. text, level or vim.log.levels.INFO, { title = 'Midfill' })
  end)
end

--- Say it unless it has been said since `forget`.
---@param text string
---@param level? integer
function M.once(text, level)
  if not said[text] then
    said[text] = true
    M.say(text, level)
  end
end

function M.forget()
  said = {}
end

return M

--- When to start a server again that has crashed, and when to leave it at that.

---@class midfill.Crashes
---@field private most integer
---@field private within number seconds
---@field private at number[]
local Crashes = {}
Crashes.__index = Crashes

local FIRST_DELAY = 500
local LONGEST_DELAY = 10000

---@param most integer so many crashes
---@param within number within so many seconds end the attempts
---@return midfill.Crashes
function Crashes.new(most, within)
  return setmetatable({ most = most, within = within, at = {} }, Crashes)
end

--- Note a crash.
---@param now number seconds
---@return integer? delay milliseconds before the next try; nil if there is to be none
function Crashes:crashed(now)
  self.at = vim.tbl_filter(function(before)
    return before > now - self.within
  end, self.at)
  table.insert(self.at, now)
  if #self.at >= self.most then
    return nil
  end
  return math.min(FIRST_DELAY * 2 ^ (#self.at - 1), LONGEST_DELAY)
end

---@return integer
function Crashes:count()
  return #self.at
end

return Crashes

"""A shop's inventory: what is in stock, and what it is worth."""

from dataclasses import dataclass, field


@dataclass
class Item:
    name: str
    price: float
    quantity: int = 0

    def value(self) -> float:
        """What all pieces of this item are worth together."""
        return self.price * self.quantity


@dataclass
class Inventory:
    items: dict[str, Item] = field(default_factory=dict)

    def add(self, name: str, price: float, quantity: int = 1) -> None:
        """Put pieces of an item into stock; a known item keeps its price."""
        if name in self.items:
            self.items[name].quantity += quantity
        else:
            self.items[name] = Item(name, price, quantity)

    def remove(self, name: str, quantity: int = 1) -> None:
        """Take pieces of an item out of stock."""
        item = self.items[name]
        if item.quantity < quantity:
            raise ValueError(f"only {item.quantity} of {name} in stock")
        item.quantity -= quantity

    def total_value(self) -> float:
        """What everything in stock is worth."""
        return sum(item.value() for item in self.items.values())

    def sold_out(self) -> list[str]:
        """The names of the items of which nothing is left, in alphabetical order."""
        return sorted(name for name, item in self.items.items() if item.quantity == 0)

// A shopping cart that knows its discounts.

export class Cart {
  constructor() {
    this.lines = [];
  }

  /** Put an article into the cart, or more of it. */
  add(article, quantity = 1) {
    const line = this.lines.find((line) => line.article.id === article.id);
    if (line) {
      line.quantity += quantity;
    } else {
      this.lines.push({ article, quantity });
    }
  }

  /** The sum of all lines, before any discount. */
  subtotal() {
    return this.lines.reduce((sum, line) => sum + line.article.price * line.quantity, 0);
  }

  /** What is to be paid; ten percent off from 100 on. */
  total() {
    const subtotal = this.subtotal();
    return subtotal >= 100 ? subtotal * 0.9 : subtotal;
  }
}

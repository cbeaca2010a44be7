//! Input that is empty, extreme, or out of order.

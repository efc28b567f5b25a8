//! What a `content_match` rule may hold: the client that builds one and the vault that reads one keep to the same.

/// Kinds of calls that a rule can name.
pub const FAMILIES: [&str; 6] = ["send", "read", "write", "delete", "admin", "payment"];
/// Longest id of an operation, in characters.
pub const LONGEST_OPERATION: usize = 255;
/// Most operations and families together.
pub const MOST_ENTRIES: usize = 100;
/// Most conditions on parameters.
pub const MOST_CONDITIONS: usize = 20;
/// Longest name of a parameter or a field, in characters.
pub const LONGEST_NAME: usize = 120;
/// Most fields that are taken out of a body.
pub const MOST_FIELDS: usize = 50;
/// Days of a time window, as rules write them, from Monday on.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Longest time since the sign-in, in seconds.
pub const LONGEST_AGE: u64 = 86_400;

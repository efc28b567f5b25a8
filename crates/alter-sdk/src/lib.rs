//! alter-sdk

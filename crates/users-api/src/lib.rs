//! users-api

//! control-center

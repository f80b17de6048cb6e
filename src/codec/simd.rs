//! Byte searches, the only codec code that may be `unsafe`: SSE2 where the target has it, portable loops elsewhere.

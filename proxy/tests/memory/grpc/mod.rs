//! gRPC: how calls end when they do not end well, how long they last, and how their servers are.

mod answers;
mod call;
mod deadlines;
mod health;
mod streams;

//! The proxy over an in-memory network, in virtual time: no ports, no sleeps, no Internet.

#[cfg(test)]
mod breaker;
mod cors;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod legacy_sse;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod mcp;
#[cfg(test)]
mod mcp_streams;
#[cfg(test)]
mod migration;
#[cfg(test)]
mod modern;
#[cfg(test)]
mod names;
#[cfg(test)]
mod network;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod patience;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod region;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod relocate;
#[cfg(test)]
mod removal;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod retry;
#[cfg(test)]
mod services;
#[cfg(test)]
mod shaping_fields;
#[cfg(test)]
mod shaping_limits;
#[cfg(test)]
mod shaping_routes;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod troubles;
#[cfg(test)]
mod tunnel;
#[cfg(test)]
mod unix;
#[cfg(test)]
mod verdicts;

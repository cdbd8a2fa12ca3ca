//! TLS towards clients and peers; the only place that knows which library speaks it.
//!
//! ```text
//! provider.rs     the cryptography, passed on explicitly
//! pem.rs          certificates and keys, from files or from memory
//! certificate.rs  a chain with its key, and what is known of it
//! x509.rs         what a certificate says: names, subject, dates
//! by_name.rs      which certificate a client gets
//! terminator.rs   TLS of a listener; reads its files again when told to
//! client.rs       what is known of a client from its handshake
//! connector.rs    TLS towards the peers of a group
//! unverified.rs   taking any certificate, where the operator says so
//! wire.rs         a connection with TLS or without
//! failure.rs      why a handshake failed
//! flaw.rs         what is wrong with files and names
//! ```

mod by_name;
mod certificate;
mod client;
mod connector;
mod failure;
mod flaw;
mod pem;
mod provider;
mod terminator;
mod unverified;
mod wire;
mod x509;

pub use certificate::Certificate;
pub use client::{ClientCertificate, ClientTls};
pub use connector::{Connector, Dialer};
pub use failure::{HandshakeError, HandshakeFailure};
pub use flaw::{Flaw, Flaws, Place};
pub use pem::{KeyPair, Pem};
pub use terminator::Terminator;
pub use wire::{Alpn, Wire};

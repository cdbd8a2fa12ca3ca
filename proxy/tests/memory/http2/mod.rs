//! HTTP/2, to clients and to peers.

mod bounds;
mod clients;
mod floods;
mod goodbyes;
mod heads;
mod uploads;
mod upstream;

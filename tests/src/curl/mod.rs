//! curl beside `regatta get`: the same command lines against the same origin, and the same exit
//! codes, output, files and requests. Where they differ on purpose the line says why.

mod certificates;
mod front;
mod lab;
mod scripts;
mod table;
mod tables;

// Package ground will run plans as Testground test cases, and be the only importer of Testground's modules: they are old,
// so one wall stands around them. Nothing stands here yet.
package ground

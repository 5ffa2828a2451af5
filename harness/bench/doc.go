// Package bench loads a Kademlia server on real sockets with requests, and measures.
package bench

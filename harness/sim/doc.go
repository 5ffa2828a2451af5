// Package sim will hold the simulator: discrete events over many kad.Kademlia values, without a goroutine a node, in an
// order that is written down. It is why the core takes the time as an argument and names its next wake. Nothing stands
// here yet; the language refuses `world sim`.
package sim

// Package targettest is the suite which every target behind the control protocol must pass, whatever it is written in.
// It asks whether the program can be driven, not whether its Kademlia is right: that is what the plans are for.
//
// An adapter's author runs it on the program, from anywhere in this repository:
//
//	go test ./harness/target/targettest -run TestAdapter -v -target "js=cmd:node $PWD/main.mjs"
//
// The checks are values (Checks), each a function that says what is wrong; Suite runs them as subtests:
//
//	func TestOurAdapter(t *testing.T) {
//		f, err := target.Parse("ours=cmd:./ours")
//		require.NoError(t, err)
//		targettest.Suite(t, f)
//	}
//
// A check that needs a method which the target does not offer is skipped. Nothing is sent beyond loopback.
package targettest

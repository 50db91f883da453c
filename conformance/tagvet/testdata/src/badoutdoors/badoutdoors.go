// Package badoutdoors says that it stands outdoors, and not why.
//
//tagvet:outdoors // want `tagvet:outdoors without a reason`
package badoutdoors

import "nsmodel/netns"

func name(n *netns.Net) string { return n.Name() }

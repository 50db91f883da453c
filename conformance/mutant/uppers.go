package mutant

// uppers are mutants of devices that stand on others, VLAN and macvlan.
func uppers() []Mutant {
	return []Mutant{
		{Name: "a VLAN is looked up without its device", Kind: Tag, Precedent: "of the kind of C8: the group of the lower device is left out of vlan_find_dev",
			Edits: []Edit{{"core/link/vlan.go", "\treturn (*vs.byTag.Load())[vlanTag{p.VLANProto, wire.TCI(p.VLAN).VID()}]\n",
				"\tt := vlanTag{p.VLANProto, wire.TCI(p.VLAN).VID()}\n\tfor n := range p.Net().System().Nets() {\n\t\tfor _, d := range p.Dev.Stack().Devices(n) {\n\t\t\tif o := vlansOf(d); o != nil && (*o.byTag.Load())[t] != nil {\n\t\t\t\treturn (*o.byTag.Load())[t]\n\t\t\t}\n\t\t}\n\t}\n\treturn nil\n"}}},
		{Name: "macvlan devices are found without their lower device", Kind: Tag, Precedent: "of the kind of C8: macvlan_hash_lookup without the port",
			Edits: []Edit{{"core/link/macvlan.go", "\t\t\tkid := f.byMAC[dst]\n\t\t\tif kid == nil {\n\t\t\t\treturn false\n",
				"\t\t\tkid := f.byMAC[dst]\n\t\t\tfor n := range p.Net().System().Nets() {\n\t\t\t\tfor _, d := range low.Stack().Devices(n) {\n\t\t\t\t\tif o := macvlansOf(d); o != nil && o.up.Load().byMAC[dst] != nil {\n\t\t\t\t\t\tkid = o.up.Load().byMAC[dst]\n\t\t\t\t\t}\n\t\t\t\t}\n\t\t\t}\n\t\t\tif kid == nil {\n\t\t\t\treturn false\n"}}},
		{Name: "a macvlan device's broadcast reaches those of other lower devices", Kind: Crossing, Precedent: "of the kind of C9: the way of many receivers, macvlan_broadcast over all ports",
			Edits: []Edit{{"core/link/macvlan.go", "\t\tif dst.IsMulticast() {\n\t\t\tfor i := range f.list {\n",
				"\t\tif dst.IsMulticast() {\n\t\t\tf = &macFamily{byMAC: f.byMAC}\n\t\t\tfor n := range p.Net().System().Nets() {\n\t\t\t\tfor _, o := range d.Stack().Devices(n) {\n\t\t\t\t\tif ms := macvlansOf(o); ms != nil {\n\t\t\t\t\t\tf.list = append(f.list, ms.up.Load().list...)\n\t\t\t\t\t}\n\t\t\t\t}\n\t\t\t}\n\t\t\tfor i := range f.list {\n"}}},
		{Name: "a frame comes up at a VLAN in the lower device's namespace", Kind: Crossing, Precedent: "of the kind of C12: vlan_do_receive in a child asks the lower device's Net",
			Edits: []Edit{{"core/rise.go", "\tp.VLAN, p.VLANProto = 0, 0\n\tp.books.sent.Add(1)\n\tif !d.arrive(w, p) {\n", "\tp.VLAN, p.VLANProto = 0, 0\n\tif p.Dev = d; !d.live.Load() {\n\t\tw.Drop(p, DeviceDown)\n"}}},
		{Name: "a VLAN device ends with a move of the lower one", Kind: Move, Precedent: "of the kind of C51: half of a pair moves; NETDEV_UNREGISTER is taken for the end",
			Edits: []Edit{{"core/register.go", "\t\tif !moves || !up.stays {\n", "\t\tif !moves || up.stays {\n"}}},
		{Name: "a VLAN of a dead namespace stays with the lower device", Kind: Lifecycle, Precedent: "of the kind of C72: unregister_vlan_dev on one of two ways",
			Edits: []Edit{{"core/link/vlan.go", "\tvs := vlansOf(v.lower)\n\tvs.edit(func(list []*core.Device) []*core.Device {\n\t\treturn slices.DeleteFunc", "\tvs := vlansOf(v.lower)\n\tif !d.Net().Alive() {\n\t\treturn nil\n\t}\n\tvs.edit(func(list []*core.Device) []*core.Device {\n\t\treturn slices.DeleteFunc"}}},
	}
}

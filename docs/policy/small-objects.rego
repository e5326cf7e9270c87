# Over the satellite link go small objects only. The others are held until the tag s3d.upload says otherwise.
package s3d

limit := 1000000

upload := false if {
	input.size > limit
	not says_so
}

# A policy goes before tags: one that is to leave something to them says nothing then.
says_so if input.tags["s3d.upload"] == "true"

"""The nerves: pykka actors that move messages and wait for the outside. They decide nothing."""

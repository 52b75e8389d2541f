package shm

const childRole = "KAHEA_SHM_TEST_CHILD"

func child(role string) { panic(role) }

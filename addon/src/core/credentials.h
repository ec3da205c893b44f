// Ids, capabilities and no_new_privs of the payload.
#pragma once

#include "plan.h"

namespace sing {

/// Takes gid, groups and uid in this order and reads them back. The permitted capabilities stay, and are effective again.
Status takeIdentity(const plan::Identity& identity);

/// Final privileges, in the order of runtime contract §2.12.
Status applyCredentials(const plan::Credentials& credentials);

}  // namespace sing

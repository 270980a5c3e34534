select
  users.user_id,
  roles.value as role_name
from {{ harvest.harvest_table('users__roles') }} as roles
inner join {{ ref('stg_harvest__users') }} as users on users._dlt_id = roles._dlt_parent_id

select
  id as client_id,
  name as client_name,
  currency,
  coalesce(is_active, true) as is_active
from {{ harvest.harvest_table('clients') }}
where deleted_at is null

select client_id, client_name, currency, is_active
from {{ ref('stg_harvest__clients') }}
